"""Cleaned and quarantine table of a topic, read from the Delta files."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyarrow import dataset

from pin_pipeline.reconciliation.findings import TopicPosition
from pin_pipeline.reconciliation.reference_rules import published_schema
from pin_pipeline.records import RecordType
from pin_pipeline.storage.delta_snapshot import Snapshot

PARTITION, OFFSET = "source_partition", "source_offset"


class QuarantinedRecord(NamedTuple):
    """A record in quarantine."""

    reason: str
    field: str | None
    value: bytes | None
    rules_version: str


class PublishedRows:
    """Rows of a cleaned table, indexed by position and by key.

    Attributes:
        rows: columns of the record type, in the order of the positions.
        partitions: source partition of each row.
        offsets: source offset of each row.
    """

    def __init__(self, record_type: RecordType, rows: pa.Table) -> None:
        rows = rows.sort_by([(PARTITION, "ascending"), (OFFSET, "ascending")])
        self.rows = rows.select(published_schema(record_type).names).combine_chunks()
        # Integers, because one position object per row would slow down the garbage collector.
        self.partitions: list[int] = rows[PARTITION].to_pylist()
        self.offsets: list[int] = rows[OFFSET].to_pylist()
        self._key = key_column(record_type)

    def position(self, row: int) -> TopicPosition:
        """Return the source position of a row."""
        return TopicPosition(self.partitions[row], self.offsets[row])

    @cached_property
    def keys(self) -> list[Any]:
        """Key of each row."""
        keys: list[Any] = self.rows[self._key].to_pylist()
        return keys

    @cached_property
    def by_key(self) -> dict[Any, int]:
        """Row of each key; the last one of a duplicated key."""
        return {key: row for row, key in enumerate(self.keys)}

    def between(self, partition: int, first: int, end: int) -> range:
        """Return the rows whose source offsets are in [first, end) of a partition."""
        rows = range(len(self.offsets))
        bounds = (TopicPosition(partition, first), TopicPosition(partition, end))
        return range(*(bisect_left(rows, bound, key=self.position) for bound in bounds))

    def duplicates(self) -> Iterable[tuple[TopicPosition, str]]:
        """Yield the position of each row whose key has a later row, and a description."""
        if pc.count_distinct(self.rows[self._key]).as_py() < len(self.rows):
            for row, key in enumerate(self.keys):
                if self.by_key[key] != row:
                    yield self.position(row), f"the table has another row of key {key}"


@dataclass
class TopicTables:
    """Tables of one record type.

    Attributes:
        published: rows of the cleaned table.
        quarantined: records in quarantine, by position.
        duplicates: positions that are in quarantine more than once.
        last_keys: key of the last object read, by folder, from the table's last commit.
    """

    published: PublishedRows
    quarantined: dict[TopicPosition, QuarantinedRecord] = field(default_factory=dict)
    duplicates: list[TopicPosition] = field(default_factory=list)
    last_keys: Mapping[str, str] = field(default_factory=dict)

    def quarantined_between(self, partition: int, first: int, end: int) -> dict[TopicPosition, QuarantinedRecord]:
        """Return the records in quarantine whose source offsets are in [first, end) of a partition."""
        start, stop = (bisect_left(self._positions, TopicPosition(partition, offset)) for offset in (first, end))
        return {position: self.quarantined[position] for position in self._positions[start:stop]}

    @cached_property
    def _positions(self) -> list[TopicPosition]:
        return sorted(self.quarantined)

    @classmethod
    def read(
        cls, record_type: RecordType, cleaned: Snapshot | None, quarantine: Snapshot | None, first: int
    ) -> TopicTables:
        """Read the rows with source offsets from `first` on; a table that does not exist is None, and empty."""
        if cleaned is None:
            return cls.empty(record_type)
        progress = cleaned.last_commit.metadata
        columns = _columns(record_type)
        published = PublishedRows(record_type, read_rows(cleaned.delta, columns, dataset.field(OFFSET) >= first))
        tables = cls(published, last_keys=progress.get("last_keys", {}))
        if quarantine is not None:
            names = [PARTITION, OFFSET, "replayed_in", "reason", "field", "bytes", "rules_version"]
            rows = quarantine.delta.to_pyarrow_dataset().to_table(names, filter=dataset.field(OFFSET) >= first)
            for partition, offset, replayed_in, *record in zip(
                *(rows[name].to_pylist() for name in names), strict=True
            ):
                if replayed_in is not None and replayed_in == progress.get("replayed"):
                    continue  # published by the commit of that number, which left the deletion to the next one
                position = TopicPosition(partition, offset)
                if position in tables.quarantined:
                    tables.duplicates.append(position)
                tables.quarantined[position] = QuarantinedRecord(*record)
        return tables

    @classmethod
    def empty(cls, record_type: RecordType) -> TopicTables:
        """Return tables without rows."""
        return cls(PublishedRows(record_type, _columns(record_type).empty_table()))


def key_column(record_type: RecordType) -> str:
    """Return the column that publishes the key of a record type."""
    return next(column.name for column in record_type.columns if column.fields == (record_type.key,))


def read_rows(table: DeltaTable, columns: pa.Schema, condition: dataset.Expression | None = None) -> pa.Table:
    """Read columns of a table. Columns that a later definition has added, and no commit yet, are null."""
    existing = {field.name for field in table.schema().fields}
    rows = table.to_pyarrow_dataset().to_table([name for name in columns.names if name in existing], filter=condition)
    arrays = [rows[column.name] if column.name in existing else pa.nulls(len(rows), column.type) for column in columns]
    return pa.table(arrays, columns.names).cast(columns)


def _columns(record_type: RecordType) -> pa.Schema:
    return pa.schema([*published_schema(record_type), (PARTITION, pa.int32()), (OFFSET, pa.int64())])
