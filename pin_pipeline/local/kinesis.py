"""The Kinesis endpoint: the emulator of this package, which keeps its streams on disk and reshards them as AWS does."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pin_pipeline.aws import clients
from pin_pipeline.local import ports
from pin_pipeline.local.readiness import aws_ready
from pin_pipeline.local.server import ServerSpec, uvicorn_command

SHARDS = 2
RETENTION_HOURS = 365 * 24
"""The maximum on AWS, so that no record expires on a laptop that is off for days."""


def server(home: Path, port: int) -> ServerSpec:
    """Define the endpoint."""
    folder = home / "kinesis"
    folder.mkdir(parents=True, exist_ok=True)
    address = f"http://{ports.HOST}:{port}"
    command = uvicorn_command("pin_pipeline.local.guarded:kinesis", port, "--factory")
    environment = {"PIN_KINESIS_FILE": str(folder / "streams.sqlite"), "AWS_REGION": clients.LOCAL_REGION}
    return ServerSpec(
        "kinesis", address, port, command, environment, lambda: aws_ready("kinesis", address, "list_streams")
    )


def create_streams(endpoint_url: str | None, region: str, streams: Iterable[str]) -> None:
    """Create the streams that do not exist yet."""
    client = clients.client("kinesis", region, endpoint_url)
    for stream in streams:
        with suppress(client.exceptions.ResourceInUseException):
            client.create_stream(StreamName=stream, ShardCount=SHARDS)
            client.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=RETENTION_HOURS)
