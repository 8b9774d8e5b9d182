"""Verifier of AWS signatures, version 4, in front of an ASGI app, as API Gateway verifies the signatures of callers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SERVICE = "execute-api"
CONTENT_DIGEST = "x-amz-content-sha256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
MAX_CLOCK_SKEW = timedelta(minutes=5)
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request,\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class SigV4Verifier:
    """Passes on requests with a valid signature, and refuses all others with 403.

    Args:
        app: the app behind the verifier.
        secrets: secret keys by access key ID.
        region: region for which requests have to be signed.
    """

    def __init__(self, app: ASGIApp, secrets: Mapping[str, str], region: str) -> None:
        self._app, self._secrets, self._region = app, secrets, region

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        error = self.error(scope, Headers(scope=scope), body)
        if error is None:
            await self._app(scope, _replay(body), send)
        else:
            await JSONResponse({"message": f"Forbidden: {error}"}, 403)(scope, receive, send)

    def error(self, scope: Scope, headers: Headers, body: bytes) -> str | None:
        """Return why the signature of a request is invalid; None for a valid one."""
        parsed = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if parsed is None:
            return "Authorization is not an AWS signature, version 4"
        signed = {name: headers.get(name, "") for name in parsed["headers"].split(";")}
        secret = self._secrets.get(parsed["id"])
        if secret is None or (parsed["region"], parsed["service"]) != (self._region, SERVICE):
            return "unknown access key ID, or signed for another region or service"
        if not {"host", "x-amz-date"} <= signed.keys():
            return "host and x-amz-date must be signed headers"
        if not _is_current(signed["x-amz-date"], parsed["day"]):
            return "x-amz-date is not within 5 minutes, or not of the day of the credential scope"
        if signed.get(CONTENT_DIGEST, digest := sha256(body).hexdigest()) != digest:
            return f"{CONTENT_DIGEST} is not the digest of the body"
        valid = hmac.compare_digest(_signature(scope, signed, body, parsed, secret), parsed["signature"])
        return None if valid else "the signature does not match"


def _is_current(date: str, day: str) -> bool:
    try:
        signed_at = datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return date.startswith(day) and abs(datetime.now(UTC) - signed_at) <= MAX_CLOCK_SKEW


def _signature(scope: Scope, signed: dict[str, str], body: bytes, parsed: re.Match[str], secret: str) -> str:
    path, query = scope["raw_path"].decode(), scope["query_string"].decode()
    url = f"{scope['scheme']}://{signed['host']}{path}{'?' if query else ''}{query}"
    request = AWSRequest(scope["method"], url, signed, body)
    request.context["timestamp"] = signed["x-amz-date"]
    auth = SigV4Auth(Credentials(parsed["id"], secret), SERVICE, parsed["region"])
    signature: str = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return signature


def _replay(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
