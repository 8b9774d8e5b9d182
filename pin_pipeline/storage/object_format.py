"""Which records go into which object: a function of the records and their offsets alone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from pin_pipeline.storage.object_keys import Area

MAX_RECORDS = 20_000
MAX_BYTES = 8 * 2**20


class TopicRecord(NamedTuple):
    """A record as it stands on the topic; `value` is None for a tombstone, `timestamp` is in epoch milliseconds."""

    offset: int
    timestamp: int
    value: bytes | None


@dataclass(frozen=True)
class Chunk:
    """Consecutive records that make one object, a line each."""

    area: Area
    first_offset: int
    lines: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """What is written: every line ends with a newline."""
        return b"\n".join(self.lines) + b"\n"

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.first_offset + len(self.lines)


def chunks(
    records: Iterable[TopicRecord], max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES
) -> Iterator[Chunk]:
    """Cut records into objects of at most `max_records` and, but for one larger record, `max_bytes`.

    An offset that is missing closes the object (a transaction marker, a compaction hole), and so does a change
    between JSON lines and what is none: the line number in an object always tells the offset.
    """
    area: Area = "topics"
    first, size = 0, 0
    lines: list[bytes] = []
    for record in records:
        line, its_area = _line(record)
        follows = its_area == area and record.offset == first + len(lines)
        if lines and not (follows and len(lines) < max_records and size + len(line) < max_bytes):
            yield Chunk(area, first, tuple(lines))
            lines, size = [], 0
        if not lines:
            area, first = its_area, record.offset
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield Chunk(area, first, tuple(lines))


def is_json(value: bytes) -> bool:
    """Whether a record is JSON text, as RFC 8259 has it, in UTF-8."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def values_in(area: Area, body: bytes) -> list[bytes | None]:
    """The values of the records in an object: the reverse of `chunks`."""
    lines = body.removesuffix(b"\n").split(b"\n")
    return [*lines] if area == "topics" else [_unwrapped(line) for line in lines]


def _unwrapped(line: bytes) -> bytes | None:
    text = orjson.loads(line)["base64"]
    return None if text is None else base64.b64decode(text)


def _line(record: TopicRecord) -> tuple[bytes, Area]:
    value = record.value
    if value is not None and b"\n" not in value and is_json(value):
        return value, "topics"
    text = None if value is None else base64.b64encode(value).decode()
    envelope = {"offset": record.offset, "timestamp": record.timestamp, "base64": text}
    return orjson.dumps(envelope), "quarantine"
