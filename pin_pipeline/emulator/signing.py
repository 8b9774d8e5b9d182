"""Who posts, where API Gateway asks for it: AWS's signature, version 4, and behind it a key of the gateway."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from dataclasses import dataclass, field

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

API_GATEWAY = re.compile(r"\w+\.execute-api\.([\w-]+)\.amazonaws\.com")
SIGNED = ("content-type", "host")


class SigningError(Exception):
    """A request cannot be signed; says what is missing."""


@dataclass
class Signature(httpx.Auth):
    """Signs every request with the credentials that boto3 finds, which may change while it is used.

    Attributes:
        key: sent as x-api-key where there is one.
    """

    requires_request_body = True

    region: str
    key: str = field(default="", repr=False)
    _session: boto3.Session = field(default_factory=boto3.Session, init=False, repr=False, compare=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the signature into the headers.

        Raises:
            SigningError: there are no credentials.
        """
        credentials = self._session.get_credentials()
        if credentials is None:
            raise SigningError(f"{request.url} wants signed requests: attach a role, or sign in (`aws sso login`)")
        headers = {name: request.headers[name] for name in SIGNED if name in request.headers}
        unsigned = AWSRequest(request.method, str(request.url), headers, request.content)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.region).add_auth(unsigned)
        request.headers.update(dict(unsigned.headers.items()))
        if self.key:
            request.headers["x-api-key"] = self.key
        yield request


def signature_for(url: str) -> Signature | None:
    """The signature of requests to API Gateway, with the first of `PIN_GATEWAY_API_KEYS`; None for any other place."""
    host = API_GATEWAY.fullmatch(httpx.URL(url).host)
    return host and Signature(host[1], os.environ.get("PIN_GATEWAY_API_KEYS", "").split(",")[0].strip())
