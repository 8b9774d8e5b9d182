"""Signing of requests to API Gateway: AWS Signature Version 4."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from pin_pipeline.aws.errors import NO_CREDENTIALS
from pin_pipeline.errors import PipelineError

API_GATEWAY = re.compile(r"\w+\.execute-api\.([\w-]+)\.amazonaws\.com")
SIGNED = ("content-type", "host")


class SigningError(PipelineError):
    """Raised when a request cannot be signed."""


@dataclass
class Signature(httpx.Auth):
    """Signature of every request with the current credentials of boto3, which refreshes them when they expire.

    Attributes:
        region: AWS region of the API.
    """

    requires_request_body = True

    region: str
    _session: boto3.Session = field(default_factory=boto3.Session, init=False, repr=False, compare=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature to the headers.

        Raises:
            SigningError: boto3 finds no credentials.
        """
        credentials = self._session.get_credentials()
        if credentials is None:
            raise SigningError(f"cannot sign the request to {request.url}: {NO_CREDENTIALS}")
        headers = {name: request.headers[name] for name in SIGNED if name in request.headers}
        unsigned = AWSRequest(request.method, str(request.url), headers, request.content)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.region).add_auth(unsigned)
        request.headers.update(dict(unsigned.headers.items()))
        yield request


def signature_for(url: str) -> Signature | None:
    """Return the signature of requests to API Gateway; None for any other host."""
    host = API_GATEWAY.fullmatch(httpx.URL(url).host)
    return host and Signature(host[1])
