"""Where the rows go that people post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TextIO

import orjson

from pin_pipeline.emulator.files import Row
from pin_pipeline.emulator.gateway_client import Gateway, refusals
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

KAFKA_JSON = "application/vnd.kafka.json.v2+json"


class Target(StrEnum):
    """The sinks by name."""

    KAFKA = "kafka"
    KINESIS = "kinesis"
    KINESIS_ONE_STREAM = "kinesis-one-stream"
    POSTS = "posts"
    FILES = "files"
    CONSOLE = "console"


TO_TOPICS = (Target.KAFKA, Target.POSTS)


class Sink(Protocol):
    """Takes rows, and tells of each whether it has it."""

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Send rows of a kind: for each None where it was acknowledged, else why it was refused.

        Raises:
            GatewayError: it is not known what became of them; earlier rows stand.
        """


def sink_of(target: Target, settings: Settings, gateway: Gateway, output: TextIO, folder: Path) -> Sink:
    """The sink of a name: behind the gateway, or for looking at the rows."""
    match target:
        case Target.KAFKA:
            return Topics(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES})
        case Target.KINESIS:
            return Streams(gateway, {record_type: settings.stream(record_type) for record_type in RECORD_TYPES})
        case Target.KINESIS_ONE_STREAM:
            return Streams(gateway, dict.fromkeys(RECORD_TYPES, settings.one_stream), by_record_type=True)
        case Target.POSTS:
            return Posts(gateway)
        case Target.FILES:
            return Files(folder)
        case Target.CONSOLE:
            return Console(output)


@dataclass(frozen=True)
class Topics:
    """Kafka, through the Kafka REST routes: each kind has a topic."""

    gateway: Gateway
    topics: Mapping[str, str]

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Post the rows as one request."""
        body = _json({"records": [{"value": row} for row in rows]})
        response = self.gateway.send("POST", f"/topics/{self.topics[record_type]}", body, KAFKA_JSON)
        return refusals(response, len(rows), lambda reply: [_of_offset(offset) for offset in reply["offsets"]])


@dataclass(frozen=True)
class Streams:
    """Kinesis, through the stream routes: a stream a kind, or one for all with the kind as partition key."""

    gateway: Gateway
    streams: Mapping[str, str]
    by_record_type: bool = False

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Put the rows as one request."""
        key = RECORD_TYPES[record_type].key
        records = [
            {"data": row, "partition-key": record_type if self.by_record_type else str(row[key])} for row in rows
        ]
        response = self.gateway.send(
            "PUT", f"/streams/{self.streams[record_type]}/records", _json({"records": records})
        )
        return refusals(response, len(rows), lambda reply: [_of_outcome(outcome) for outcome in reply["Records"]])


@dataclass(frozen=True)
class Posts:
    """The plain routes, `/pin/` and its like: one record a request, which refuse what does not fit."""

    gateway: Gateway

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Post each row by itself."""
        return [self._post(record_type, row) for row in rows]

    def _post(self, record_type: str, row: Row) -> str | None:
        response = self.gateway.send("POST", f"/{record_type}/", _json(row))
        if response.status_code == 422:  # noqa: PLR2004 - the record does not fit
            return str(response.json()["message"])
        return refusals(response, 1, lambda reply: [None if isinstance(reply["offset"], int) else str(reply)])[0]


@dataclass(frozen=True)
class Files:
    """JSON lines, which are added to a file a kind; the form that `source load` reads."""

    folder: Path

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Add the rows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{record_type}.jsonl").open("ab") as file:
            file.write(b"".join(_json(row) + b"\n" for row in rows))
        return [None] * len(rows)


@dataclass(frozen=True)
class Console:
    """For people to look at."""

    output: TextIO

    def send(self, record_type: str, rows: Sequence[Row]) -> list[str | None]:
        """Print the rows."""
        for row in rows:
            print(record_type, _json(row).decode(), file=self.output)
        return [None] * len(rows)


def _json(value: object) -> bytes:
    """JSON, datetimes as `YYYY-MM-DD HH:MM:SS`."""
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME, default=str)


def _of_offset(offset: Mapping[str, Any]) -> str | None:
    if offset["error_code"] is None and offset["offset"] is not None:
        return None
    return f"{offset.get('error')} (error code {offset['error_code']})"


def _of_outcome(outcome: Mapping[str, Any]) -> str | None:
    if "ErrorCode" in outcome:
        return f"{outcome['ErrorCode']}: {outcome.get('ErrorMessage')}"
    return None if outcome["SequenceNumber"] else "it has no sequence number"
