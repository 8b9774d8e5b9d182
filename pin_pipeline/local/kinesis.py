"""The Kinesis endpoint, which keeps its streams in memory: they are gone when it stops."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import boto3

from pin_pipeline.local import aws
from pin_pipeline.local.server import Server

SHARDS = 2


def server(port: int) -> Server:
    """The endpoint on a port."""
    return aws.server("kinesis", port, {}, "list_streams")


def create_streams(endpoint_url: str, region: str, streams: Iterable[str]) -> None:
    """Create the streams that do not exist yet."""
    client = boto3.client("kinesis", endpoint_url=endpoint_url, region_name=region)
    for stream in streams:
        with suppress(client.exceptions.ResourceInUseException):
            client.create_stream(StreamName=stream, ShardCount=SHARDS)
