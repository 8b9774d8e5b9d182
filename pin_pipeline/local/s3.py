"""The S3 endpoint, which keeps its objects on disk."""

from __future__ import annotations

from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from pin_pipeline.local import aws
from pin_pipeline.local.server import Server


def server(home: Path, port: int) -> Server:
    """The endpoint on a port."""
    return aws.server("s3", port, {"S3_PERSIST": "1", "S3_DATA_DIR": str(home / "s3")}, "list_buckets")


def create_bucket(endpoint_url: str, bucket: str) -> None:
    """Create the bucket where there is none."""
    client = boto3.client("s3", endpoint_url=endpoint_url)
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket)
