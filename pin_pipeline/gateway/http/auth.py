"""Who is let in: this machine freely, everybody else with an API key or AWS's signature, version 4."""

from __future__ import annotations

import hmac
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pin_pipeline.gateway.http.backpressure import MAX_BODY_BYTES, again
from pin_pipeline.gateway.http.replies import reply

API_KEYS, SIGNERS = "PIN_GATEWAY_API_KEYS", "PIN_GATEWAY_SIGNERS"
# A load balancer asks this without credentials, and hears nothing but that somebody serves.
OPEN = ("/health",)
SERVICE = "execute-api"
CONTENT = "x-amz-content-sha256"
TIME = "%Y%m%dT%H%M%SZ"
# As AWS has it.
CLOCKS_APART = timedelta(minutes=5)
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Callers:
    """Who may call from elsewhere: API keys, and the secrets of those who sign, by their ids."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    signers: dict[str, str] = field(default_factory=dict, repr=False)
    region: str = ""

    @classmethod
    def of_environment(cls, region: str) -> Callers:
        """Keys of `PIN_GATEWAY_API_KEYS`, `KEY,KEY`, and signers of `PIN_GATEWAY_SIGNERS`, `ID:SECRET,ID:SECRET`."""
        signers = [signer.split(":", 1) for signer in _listed(SIGNERS)]
        return cls(tuple(_listed(API_KEYS)), {one[0]: one[1] for one in signers if len(one) == 2}, region)  # noqa: PLR2004


class Authentication:
    """Lets requests in. What was not asked for at a loopback address needs credentials, whoever seems to ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http" or _on_this_machine(scope) or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        callers: Callers = scope["app"].state.callers
        headers = Headers(scope=scope)
        if (key := headers.get("x-api-key")) is not None:
            refused = None if _is_one_of(key, callers.keys) else "the x-api-key is not known here"
        elif "authorization" in headers:
            body = await _whole(receive)
            receive = again(body)
            refused = verify(scope, headers, body, callers, datetime.now(UTC))
        else:
            refused = f"send an x-api-key ({API_KEYS}), or sign with AWS's version 4 ({SIGNERS})"
        if refused is None:
            await self._app(scope, receive, send)
        else:
            # As API Gateway words it, with the reason.
            await reply({"message": f"Forbidden: {refused}"}, "application/json", 403)(scope, receive, send)


def verify(scope: Scope, headers: Headers, body: bytes, callers: Callers, now: datetime) -> str | None:
    """Check a signature: None where it is right, else what is wrong with it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    said = AUTHORIZATION.fullmatch(headers["authorization"])
    if said is None:
        return "Authorization is no signature of AWS's version 4"
    signed = {name: headers.get(name, "") for name in said["headers"].split(";")}
    secret = callers.signers.get(said["id"])
    if secret is None or (said["region"], said["service"]) != (callers.region, SERVICE):
        return f"the signer is not known here, or signs for another region or service than {SERVICE}"
    if not {"host", "x-amz-date"} <= signed.keys():
        return "host and x-amz-date must be among the signed headers"
    if not _is_of_these_minutes(signed["x-amz-date"], said["day"], now):
        return "x-amz-date is not of these minutes, or of another day than the signature"
    if signed.get(CONTENT, digest := sha256(body).hexdigest()) != digest:
        return f"{CONTENT} is not the digest of the body"
    right = hmac.compare_digest(_signature(scope, signed, body, said, secret), said["signature"])
    return None if right else "the signature is not right"


def _is_of_these_minutes(stamp: str, day: str, now: datetime) -> bool:
    try:
        signed_at = datetime.strptime(stamp, TIME).replace(tzinfo=UTC)
    except ValueError:
        return False
    return stamp.startswith(day) and abs(now - signed_at) <= CLOCKS_APART


def _signature(scope: Scope, signed: dict[str, str], body: bytes, said: re.Match[str], secret: str) -> str:
    path, query = scope["raw_path"].decode(), scope["query_string"].decode()
    url = f"{scope['scheme']}://{signed['host']}{path}{'?' if query else ''}{query}"
    request = AWSRequest(scope["method"], url, signed, body)
    request.context["timestamp"] = signed["x-amz-date"]
    auth = SigV4Auth(Credentials(said["id"], secret), SERVICE, said["region"])
    signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return signature


def _on_this_machine(scope: Scope) -> bool:
    server: Any = scope.get("server")
    if server is None or server[1] is None:  # a socket of this machine's files
        return True
    return _is_loopback(server[0])


@cache
def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _listed(variable: str) -> list[str]:
    return [part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()]


def _is_one_of(key: str, keys: tuple[str, ...]) -> bool:
    # Each is compared, whichever it is: the time that it takes tells nothing.
    return sum(hmac.compare_digest(key.encode(), each.encode()) for each in keys) > 0


async def _whole(receive: Receive) -> bytes:
    """The body, as far as one may be."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)
