"""The S3 endpoint, ministack's, which keeps its objects on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from pin_pipeline.local import aws, ports
from pin_pipeline.local.server import Server

QUIET = {"SERVICES": "s3", "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "WARNING"}


def server(home: Path, port: int) -> Server:
    """The endpoint on a port. It is run as an ASGI app: its own command would listen to the whole network."""
    address = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"{ports.HOST}:{port}"]
    options = ["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"]
    environment = {"GATEWAY_PORT": str(port), "S3_PERSIST": "1", "S3_DATA_DIR": str(home / "s3")}
    ready = aws.answers("s3", address, "list_buckets")
    return Server("s3", address, [*command, *options], QUIET | environment, ready)


def create_bucket(endpoint_url: str | None, bucket: str) -> None:
    """Create the bucket where there is none."""
    client = boto3.client("s3", endpoint_url=endpoint_url)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)
