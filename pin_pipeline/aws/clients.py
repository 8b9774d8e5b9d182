"""boto3 clients for AWS and for the local endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.config import Config

LOCAL_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
"""Credentials for the local endpoints, which accept any: the caller's own never reach them."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def client(service: str, region: str | None, endpoint_url: str | None = None, config: Config | None = None) -> Any:  # noqa: ANN401 - boto3 creates its clients at run time
    """Return a boto3 client.

    Args:
        service: such as `s3`.
        region: AWS region; None or empty for boto3's own configuration.
        endpoint_url: address of a local endpoint; None for AWS.
        config: timeouts and retries.
    """
    import boto3  # noqa: PLC0415 - Spark starts three processes for a query, of which one reads

    credentials = LOCAL_CREDENTIALS if is_local(endpoint_url) else {}
    return boto3.client(service, region_name=region or None, endpoint_url=endpoint_url, config=config, **credentials)


def is_local(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is on this machine."""
    return endpoint_url is not None and urlsplit(endpoint_url).hostname in LOOPBACK
