"""The S3 endpoint: ministack, which keeps its objects on disk."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import ClientError

from pin_pipeline.aws import clients
from pin_pipeline.local import ports
from pin_pipeline.local.readiness import aws_ready
from pin_pipeline.local.server import ServerSpec

MINISTACK_OPTIONS = {"SERVICES": "s3", "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "WARNING"}


def server(home: Path, port: int) -> ServerSpec:
    """Define the endpoint: an ASGI app behind the guard. Ministack's own command listens on all interfaces."""
    address = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "hypercorn", "pin_pipeline.local.guarded:s3()", "--bind", f"{ports.HOST}:{port}"]
    options = ["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"]
    environment = {"GATEWAY_PORT": str(port), "S3_PERSIST": "1", "S3_DATA_DIR": str(home / "s3")}
    return ServerSpec(
        "s3",
        address,
        port,
        [*command, *options],
        MINISTACK_OPTIONS | environment,
        lambda: aws_ready("s3", address, "list_buckets"),
    )


def create_bucket(endpoint_url: str | None, bucket: str) -> None:
    """Create a bucket if missing."""
    client = clients.client("s3", None, endpoint_url)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):  # another process has just created it
            client.create_bucket(Bucket=bucket)
