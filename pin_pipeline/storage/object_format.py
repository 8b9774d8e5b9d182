"""Format of landed objects: which records go into which object, as a function of the records and offsets alone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from pin_pipeline.storage.object_keys import ENCODED, Area

MAX_RECORDS = 20_000
MAX_BYTES = 8 * 2**20


class TopicRecord(NamedTuple):
    """A record of a topic partition.

    Attributes:
        timestamp: milliseconds since the epoch.
        value: None for a tombstone.
    """

    offset: int
    timestamp: int
    value: bytes | None


@dataclass(frozen=True)
class ObjectChunk:
    """Consecutive records that make up one object, one line per record."""

    area: Area
    first_offset: int
    lines: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """Content of the object; every line ends with a newline."""
        return b"\n".join(self.lines) + b"\n"

    @property
    def next_offset(self) -> int:
        """Offset after the last record."""
        return self.first_offset + len(self.lines)


def chunk_records(
    records: Iterable[TopicRecord], max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES
) -> Iterator[ObjectChunk]:
    """Split records into objects of at most `max_records` records and `max_bytes` bytes.

    A single record that exceeds `max_bytes` gets an object of its own. An object ends before a missing offset (a
    transaction marker or a record removed by compaction) and before a record of the other area, so that the position
    of a line in an object always gives its offset.
    """
    area: Area = "topics"
    first, size = 0, 0
    lines: list[bytes] = []
    for record in records:
        line, its_area = _encode(record)
        follows = its_area == area and record.offset == first + len(lines)
        if lines and not (follows and len(lines) < max_records and size + len(line) < max_bytes):
            yield ObjectChunk(area, first, tuple(lines))
            lines, size = [], 0
        if not lines:
            area, first = its_area, record.offset
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield ObjectChunk(area, first, tuple(lines))


def is_json(value: bytes) -> bool:
    """Return whether a value is JSON text in UTF-8, as RFC 8259 defines it."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def decode_values(area: Area, body: bytes) -> list[bytes | None]:
    """Return the values of the records in an object: the reverse of `chunk_records`."""
    lines = body.removesuffix(b"\n").split(b"\n")
    return [*lines] if area == "topics" else [_decode(line) for line in lines]


def _encode(record: TopicRecord) -> tuple[bytes, Area]:
    """Return the line of a record and the area it belongs to."""
    value = record.value
    if value is not None and b"\n" not in value and is_json(value):
        return value, "topics"
    text = None if value is None else base64.b64encode(value).decode()
    encoded = {"offset": record.offset, "timestamp": record.timestamp, "base64": text}
    return orjson.dumps(encoded), ENCODED


def _decode(line: bytes) -> bytes | None:
    """Return the value of a line in the encoded area."""
    text = orjson.loads(line)["base64"]
    return None if text is None else base64.b64decode(text)
