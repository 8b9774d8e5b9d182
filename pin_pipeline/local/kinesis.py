"""The Kinesis endpoint as a local server. It keeps its streams on disk, and they reshard as on AWS."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import boto3

from pin_pipeline.local import aws, ports
from pin_pipeline.local.server import Server, uvicorn

SHARDS = 2
# As long as AWS allows: on a laptop that is off for days nothing should age out.
RETENTION_HOURS = 365 * 24


def server(home: Path, port: int) -> Server:
    """The endpoint on a port."""
    folder = home / "kinesis"
    folder.mkdir(parents=True, exist_ok=True)
    address = f"http://{ports.HOST}:{port}"
    command = uvicorn("pin_pipeline.local.kinesis_emulator.app:application", port, "--factory")
    environment = {"PIN_KINESIS_FILE": str(folder / "streams.sqlite")}
    ready = aws.answers("kinesis", address, "list_streams")
    return Server("kinesis", address, command, environment, ready)


def create_streams(endpoint_url: str | None, region: str, streams: Iterable[str]) -> None:
    """Create the streams that do not exist yet."""
    client = boto3.client("kinesis", endpoint_url=endpoint_url, region_name=region)
    for stream in streams:
        with suppress(client.exceptions.ResourceInUseException):
            client.create_stream(StreamName=stream, ShardCount=SHARDS)
            client.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=RETENTION_HOURS)
