"""What stands in the tables, read from the Delta files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow import dataset

from pin_pipeline.audit.findings import Position
from pin_pipeline.lakehouse.snapshot import Snapshot
from pin_pipeline.records import RecordKind
from pin_pipeline.records.rules import Row

HISTORY = 100


class Published(NamedTuple):
    """A published row: where it says it comes from, and its cells in the order of the kind's columns."""

    position: Position
    row: Row


class Quarantined(NamedTuple):
    """A record in quarantine."""

    reason: str
    field: str | None
    value: bytes | None
    rules_version: str


@dataclass
class Tables:
    """The tables of one kind.

    Attributes:
        published: rows by key.
        quarantined: records by position.
        doubled: the positions of rows that are there once more, and what they are.
        last_keys: the last object that was read, by folder, as the table's last commit says.
    """

    published: dict[Any, Published] = field(default_factory=dict)
    quarantined: dict[Position, Quarantined] = field(default_factory=dict)
    doubled: list[tuple[Position, str]] = field(default_factory=list)
    last_keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, kind: RecordKind, cleaned: Snapshot | None, quarantine: Snapshot | None, first: int) -> Tables:
        """Read what both tables of a kind, None where there is none yet, hold of the offsets from `first` on."""
        tables = cls()
        replayed = None
        if cleaned is not None:
            progress = _progress(cleaned.delta)
            tables.last_keys, replayed = progress.get("last_keys", {}), progress.get("replayed")
            names = [column.name for column in kind.columns]
            key = key_column(kind)
            for *cells, partition, offset in _rows(cleaned.delta, [*names, "source_partition", "source_offset"], first):
                row = Published(Position(partition, offset), tuple(cells))
                if cells[key] in tables.published:
                    tables.doubled.append((row.position, f"key {cells[key]} is in the table once more"))
                else:
                    tables.published[cells[key]] = row
        if quarantine is not None:
            columns = ["source_partition", "source_offset", "replayed_in", "reason", "field", "bytes", "rules_version"]
            for partition, offset, replayed_in, *record in _rows(quarantine.delta, columns, first):
                if replayed_in is not None and replayed_in == replayed:
                    continue  # it is out, published by the commit of that number
                position = Position(partition, offset)
                if position in tables.quarantined:
                    tables.doubled.append((position, "it is in quarantine once more"))
                tables.quarantined[position] = Quarantined(*record)
        return tables


def key_column(kind: RecordKind) -> int:
    """Which of the kind's columns publishes its key."""
    return next(number for number, column in enumerate(kind.columns) if column.fields == (kind.key,))


def _progress(table: DeltaTable) -> dict[str, Any]:
    for commit in table.history(limit=HISTORY):
        if "userMetadata" in commit:
            progress: dict[str, Any] = json.loads(commit["userMetadata"])
            return progress
    return {}


def _rows(table: DeltaTable, columns: list[str], first: int) -> Iterator[tuple[Any, ...]]:
    later = dataset.field("source_offset") >= first
    batches: Iterator[pa.RecordBatch] = table.to_pyarrow_dataset().to_batches(columns=columns, filter=later)
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
