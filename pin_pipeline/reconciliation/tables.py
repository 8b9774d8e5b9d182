"""What stands in the tables, read from the Delta files."""

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
from pin_pipeline.reconciliation.reference_rules import schema
from pin_pipeline.records import RecordType
from pin_pipeline.storage.delta_snapshot import Snapshot

PARTITION, OFFSET = "source_partition", "source_offset"


class Quarantined(NamedTuple):
    """A record in quarantine."""

    reason: str
    field: str | None
    value: bytes | None
    rules_version: str


class Published:
    """The rows of a cleaned table, found by position and by key.

    Attributes:
        rows: the kind's columns, in the order of the positions.
        partitions: the partition that each row says it comes from.
        offsets: the offset that each row says it comes from.
    """

    def __init__(self, record_type: RecordType, rows: pa.Table) -> None:
        rows = rows.sort_by([(PARTITION, "ascending"), (OFFSET, "ascending")])
        self.rows = (
            rows.select([column.name for column in record_type.columns]).cast(schema(record_type)).combine_chunks()
        )
        # Positions as such would be as many objects for the garbage collector to visit.
        self.partitions: list[int] = rows[PARTITION].to_pylist()
        self.offsets: list[int] = rows[OFFSET].to_pylist()
        self._key = key_column(record_type)

    def position(self, row: int) -> TopicPosition:
        """Where a row says it comes from."""
        return TopicPosition(self.partitions[row], self.offsets[row])

    @cached_property
    def keys(self) -> list[Any]:
        """The key of each row."""
        keys: list[Any] = self.rows[self._key].to_pylist()
        return keys

    @cached_property
    def by_key(self) -> dict[Any, int]:
        """The row of each key; of keys that are there more than once, the last of them."""
        return {key: row for row, key in enumerate(self.keys)}

    def between(self, partition: int, first: int, end: int) -> range:
        """The rows that say they come from these offsets of a partition."""
        rows = range(len(self.offsets))
        places = (TopicPosition(partition, first), TopicPosition(partition, end))
        return range(*(bisect_left(rows, place, key=self.position) for place in places))

    def doubled(self) -> Iterable[tuple[TopicPosition, str]]:
        """The rows whose key is there once more, and what is wrong with them."""
        if pc.count_distinct(self.rows[self._key]).as_py() < len(self.rows):
            for row, key in enumerate(self.keys):
                if self.by_key[key] != row:
                    yield self.position(row), f"key {key} is in the table once more"


@dataclass
class TopicTables:
    """The tables of one kind.

    Attributes:
        published: the rows of the cleaned table.
        quarantined: records by position.
        doubled: the positions of records that are in quarantine once more.
        last_keys: the last object that was read, by folder, as the table's last commit says.
    """

    published: Published
    quarantined: dict[TopicPosition, Quarantined] = field(default_factory=dict)
    doubled: list[TopicPosition] = field(default_factory=list)
    last_keys: Mapping[str, str] = field(default_factory=dict)

    def quarantined_between(self, partition: int, first: int, end: int) -> dict[TopicPosition, Quarantined]:
        """The records in quarantine that say they come from these offsets of a partition."""
        begin, behind = (bisect_left(self._places, TopicPosition(partition, offset)) for offset in (first, end))
        return {position: self.quarantined[position] for position in self._places[begin:behind]}

    @cached_property
    def _places(self) -> list[TopicPosition]:
        return sorted(self.quarantined)

    @classmethod
    def read(
        cls, record_type: RecordType, cleaned: Snapshot | None, quarantine: Snapshot | None, first: int
    ) -> TopicTables:
        """Read what both tables of a kind, None where there is none yet, hold of the offsets from `first` on."""
        if cleaned is None:
            return cls.empty(record_type)
        progress = cleaned.last_commit.metadata
        names = [*(column.name for column in record_type.columns), PARTITION, OFFSET]
        tables = cls(
            Published(record_type, _rows(cleaned.delta, names, first)), last_keys=progress.get("last_keys", {})
        )
        if quarantine is not None:
            columns = [PARTITION, OFFSET, "replayed_in", "reason", "field", "bytes", "rules_version"]
            rows = _rows(quarantine.delta, columns, first)
            for partition, offset, replayed_in, *record in zip(
                *(rows[name].to_pylist() for name in columns), strict=True
            ):
                if replayed_in is not None and replayed_in == progress.get("replayed"):
                    continue  # it is out, published by the commit of that number
                position = TopicPosition(partition, offset)
                if position in tables.quarantined:
                    tables.doubled.append(position)
                tables.quarantined[position] = Quarantined(*record)
        return tables

    @classmethod
    def empty(cls, record_type: RecordType) -> TopicTables:
        """Tables of which there is none yet."""
        places = [(PARTITION, pa.int32()), (OFFSET, pa.int64())]
        return cls(Published(record_type, pa.schema([*schema(record_type), *places]).empty_table()))


def key_column(record_type: RecordType) -> str:
    """The column that publishes the kind's key."""
    return next(column.name for column in record_type.columns if column.fields == (record_type.key,))


def _rows(table: DeltaTable, columns: list[str], first: int) -> pa.Table:
    return table.to_pyarrow_dataset().to_table(columns=columns, filter=dataset.field(OFFSET) >= first)
