"""Readiness probes of HTTP servers and of local AWS endpoints."""

from __future__ import annotations

import httpx
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.aws import clients

HTTP_TIMEOUT_SECONDS = 5
AWS_REGION = "us-east-1"
AWS_CONFIG = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})


def http_ready(url: str) -> bool:
    """Return whether a GET request to the URL succeeds."""
    try:
        return httpx.get(url, timeout=HTTP_TIMEOUT_SECONDS, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def aws_ready(service: str, address: str, operation: str) -> bool:
    """Return whether an operation without arguments, such as `list_streams`, succeeds at a local AWS endpoint."""
    try:
        getattr(clients.client(service, AWS_REGION, address, AWS_CONFIG), operation)()
    except (BotoCoreError, ClientError):
        return False
    return True
