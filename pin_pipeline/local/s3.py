"""The S3 endpoint: ministack's, keeping its objects on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server

PROBE = Config(signature_version=UNSIGNED, connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})


def server(home: Path, port: int) -> Server:
    """The endpoint on a port. It is run as an ASGI app: its own command would listen to the whole network."""
    address = f"http://{ports.HOST}:{port}"
    environment = {
        "SERVICES": "s3",
        "GATEWAY_PORT": str(port),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"{ports.HOST}:{port}"]
    options = ["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"]
    return Server("s3", address, [*command, *options], environment, lambda: _answers(address))


def create_bucket(endpoint_url: str, bucket: str) -> None:
    """Create the bucket where there is none."""
    client = boto3.client("s3", endpoint_url=endpoint_url)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)


def _answers(address: str) -> bool:
    client = boto3.client("s3", endpoint_url=address, config=PROBE)
    try:
        client.list_buckets()
    except (BotoCoreError, ClientError):
        return False
    return True
