"""Sinks of the emulator: Kafka topics and Kinesis streams behind the gateway, files, and the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TextIO

import orjson

from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.gateway_client import Gateway, refusals
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

KAFKA_JSON = "application/vnd.kafka.json.v2+json"


class Target(StrEnum):
    """Name of a sink."""

    KAFKA = "kafka"
    KINESIS = "kinesis"
    KINESIS_ONE_STREAM = "kinesis-one-stream"
    POSTS = "posts"
    FILES = "files"
    CONSOLE = "console"


class Sink(Protocol):
    """Receiver of rows."""

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Send rows of one record type.

        Returns:
            For each row, None if it was acknowledged, otherwise the reason for its refusal.

        Raises:
            GatewayError: the request failed; its rows may or may not have been written.
        """


def create_sink(target: Target, settings: Settings, gateway: Gateway, output: TextIO, folder: Path) -> Sink:
    """Create the sink of a target.

    Args:
        target: name of the sink.
        settings: names of the topics and streams.
        gateway: used by all sinks except files and console.
        output: stream that the console sink prints to.
        folder: folder that the files sink appends to.
    """
    match target:
        case Target.KAFKA:
            return TopicSink(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES})
        case Target.KINESIS:
            return StreamSink(gateway, {record_type: settings.stream(record_type) for record_type in RECORD_TYPES})
        case Target.KINESIS_ONE_STREAM:
            return StreamSink(gateway, dict.fromkeys(RECORD_TYPES, settings.one_stream), by_record_type=True)
        case Target.POSTS:
            return RecordRouteSink(gateway)
        case Target.FILES:
            return FileSink(folder)
        case Target.CONSOLE:
            return ConsoleSink(output)


@dataclass(frozen=True)
class TopicSink:
    """Sink to Kafka through the Kafka REST routes: one topic per record type."""

    gateway: Gateway
    topics: Mapping[str, str]

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Post the rows in one request."""
        body = _json({"records": [{"value": row} for row in rows]})
        response = self.gateway.send("POST", f"/topics/{self.topics[record_type]}", body, KAFKA_JSON)
        return refusals(response, len(rows), lambda reply: [_topic_refusal(offset) for offset in reply["offsets"]])


@dataclass(frozen=True)
class StreamSink:
    """Sink to Kinesis through the stream routes.

    Attributes:
        streams: name of the stream, by record type.
        by_record_type: use the record type as the partition key instead of the key of the post; for one stream with
            all record types.
    """

    gateway: Gateway
    streams: Mapping[str, str]
    by_record_type: bool = False

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Put the rows in one request."""
        key = RECORD_TYPES[record_type].key
        records = [
            {"data": row, "partition-key": record_type if self.by_record_type else str(row[key])} for row in rows
        ]
        response = self.gateway.send(
            "PUT", f"/streams/{self.streams[record_type]}/records", _json({"records": records})
        )
        return refusals(response, len(rows), lambda reply: [_stream_refusal(result) for result in reply["Records"]])


@dataclass(frozen=True)
class RecordRouteSink:
    """Sink to Kafka through the routes `/pin/`, `/geo/` and `/user/`, which validate one record per request."""

    gateway: Gateway

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Post each row in its own request."""
        return [self._post(record_type, row) for row in rows]

    def _post(self, record_type: str, row: SourceRow) -> str | None:
        response = self.gateway.send("POST", f"/{record_type}/", _json(row))
        if response.status_code == 422:  # noqa: PLR2004 - the record was rejected
            return str(response.json()["message"])
        return refusals(response, 1, lambda reply: [None if isinstance(reply["offset"], int) else str(reply)])[0]


@dataclass(frozen=True)
class FileSink:
    """Sink to JSON lines, one file per record type, which `pin-pipeline source load` can read."""

    folder: Path

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Append the rows to the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{record_type}.jsonl").open("ab") as file:
            file.write(b"".join(_json(row) + b"\n" for row in rows))
        return [None] * len(rows)


@dataclass(frozen=True)
class ConsoleSink:
    """Sink that prints rows for inspection."""

    output: TextIO

    def send(self, record_type: str, rows: Sequence[SourceRow]) -> list[str | None]:
        """Print the rows."""
        for row in rows:
            print(record_type, _json(row).decode(), file=self.output)
        return [None] * len(rows)


def _json(value: object) -> bytes:
    """Serialize to JSON, with datetimes as `YYYY-MM-DD HH:MM:SS`."""
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME, default=_timestamp)


def _timestamp(value: object) -> str:
    if isinstance(value, datetime):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _topic_refusal(offset: Mapping[str, Any]) -> str | None:
    if offset["error_code"] is None and offset["offset"] is not None:
        return None
    return f"{offset.get('error')} (error code {offset['error_code']})"


def _stream_refusal(result: Mapping[str, Any]) -> str | None:
    if "ErrorCode" in result:
        return f"{result['ErrorCode']}: {result.get('ErrorMessage')}"
    return None if result["SequenceNumber"] else "the response has no sequence number"
