"""boto3 clients for AWS and for the local endpoints."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config

LOCAL_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
"""Credentials for the local endpoints, which accept any: the caller's own never reach them."""
LOCAL_REGION = "us-east-1"
"""Region of the local endpoints, whatever the region of the user's own account is."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
NO_USER_CONFIGURATION = {
    **dict.fromkeys(("profile", "ca_bundle"), (None, None, None, None)),
    **dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)),
}
"""Session variables of botocore with which clients of local endpoints take nothing from the user's configuration."""


def client(service: str, region: str | None, endpoint_url: str | None = None, config: Config | None = None) -> Any:  # noqa: ANN401 - boto3 creates its clients at run time
    """Return a boto3 client.

    Args:
        service: such as `s3`.
        region: AWS region; None or empty for boto3's own configuration. Local endpoints have a region of their own.
        endpoint_url: address of a local endpoint; None for AWS.
        config: timeouts and retries.
    """
    import boto3  # noqa: PLC0415 - Spark starts three processes for a query, of which one reads
    from botocore.config import Config  # noqa: PLC0415

    if not is_local(endpoint_url):
        return boto3.client(service, region_name=region or None, endpoint_url=endpoint_url, config=config)
    without_proxy = Config(proxies={}).merge(config) if config else Config(proxies={})
    return _local_session().client(
        service,
        region_name=LOCAL_REGION,
        endpoint_url=endpoint_url,
        config=without_proxy,
        **LOCAL_CREDENTIALS,
    )


@cache
def _local_session() -> Session:
    """Return a session that depends on no profile and no configuration file of the user."""
    import boto3  # noqa: PLC0415 - see `client`
    import botocore.session  # noqa: PLC0415

    session = botocore.session.Session(session_vars=NO_USER_CONFIGURATION)
    return boto3.session.Session(botocore_session=session)


def is_local(endpoint_url: str | None) -> bool:
    """Return whether an endpoint is on this machine."""
    return endpoint_url is not None and urlsplit(endpoint_url).hostname in LOOPBACK
