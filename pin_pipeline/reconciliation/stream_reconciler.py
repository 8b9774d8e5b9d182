"""Reconciler of a stream: compares its records with the rows of its tables, and collects the discrepancies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa

from pin_pipeline.reconciliation.findings import DiscrepancyType, PartitionCounts, StreamFindings, StreamPosition
from pin_pipeline.reconciliation.reference_rules import ExpectedRejection, expected_outcome, published_schema
from pin_pipeline.reconciliation.tables import read_rows
from pin_pipeline.records import RecordType
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake

SHARD, SEQUENCE_NUMBER = "source_shard", "source_sequence_number"
BATCH = 10_000
QUARANTINE_SCHEMA = pa.schema(
    [("reason", pa.string()), ("field", pa.string()), ("bytes", pa.binary()), ("rules_version", pa.string())]
)


class StreamRecord(NamedTuple):
    """A record of the stream."""

    position: StreamPosition
    key: str
    value: bytes


@dataclass(frozen=True)
class StreamTables:
    """Tables of one record type.

    Attributes:
        published: columns of the record type, shard and sequence number.
        quarantined: reason, field, bytes, rules_version, shard and sequence number.
        progress: highest sequence number read, by shard, from the last commit of the published table.
    """

    published: pa.Table
    quarantined: pa.Table
    progress: Mapping[str, int]

    @classmethod
    def read(cls, lake: Lake, record_type: RecordType) -> StreamTables:
        """Read the current tables; a table that does not exist is empty."""
        published, quarantined = (
            lake.snapshot(f"{layer}/{record_type.name}") for layer in ("streams", "quarantine/streams")
        )
        return cls(
            _rows(published, published_schema(record_type)),
            _rows(quarantined, QUARANTINE_SCHEMA),
            {} if published is None else _progress(published.last_commit.metadata),
        )


def reconcile_stream_records(
    record_type: RecordType, records: Iterable[StreamRecord], tables: StreamTables
) -> StreamFindings:
    """Look up each record of the stream in the tables, and each row of the tables in the stream.

    Rows older than the oldest record that the stream still has are not verified, nor are any if it has no records.
    """
    reconciler = _StreamReconciler(record_type, tables)
    stream = iter(records)
    while batch := list(islice(stream, BATCH)):
        reconciler.reconcile_batch(batch)
    reconciler.find_unexpected_rows()
    return reconciler.findings


class _StreamReconciler:
    def __init__(self, record_type: RecordType, tables: StreamTables) -> None:
        self.findings = StreamFindings()
        self._record_type, self._tables, self._version = record_type, tables, rules_version(record_type)
        self._published = self._index(tables.published, "it is in the table more than once")
        self._quarantined = self._index(tables.quarantined, "it is in quarantine more than once")
        self._matched: set[StreamPosition] = set()
        self._oldest: dict[str, int] = {}

    def _index(self, rows: pa.Table, duplicate: str) -> dict[StreamPosition, int]:
        """Return the row of each position; report duplicates with the given detail."""
        positions = list(_positions(rows))
        for position, count in Counter(positions).items():
            if count > 1:
                self.findings.add(position, DiscrepancyType.DUPLICATED, duplicate)
        return {position: row for row, position in enumerate(positions)}

    def reconcile_batch(self, records: list[StreamRecord]) -> None:
        """Compare records with their expected outcome."""
        expected = expected_outcome(self._record_type, [record.value for record in records])
        valid = [number for number in range(len(records)) if number not in expected.rejections]
        for number, record in enumerate(records):
            self._reconcile_record(record, expected.rejections.get(number))
        self._compare_cells([records[number] for number in valid], expected.rows.take(pa.array(valid, pa.int64())))

    def _reconcile_record(self, record: StreamRecord, rejection: ExpectedRejection | None) -> None:
        position = record.position
        self._oldest.setdefault(position.shard, position.sequence_number)
        counts = self.findings.partitions.setdefault(position.shard, PartitionCounts())
        published_row, quarantined_row = self._published.get(position), self._quarantined.get(position)
        self._matched.add(position)
        counts.landed += 1
        counts.published += published_row is not None
        counts.quarantined += quarantined_row is not None
        if published_row is None and quarantined_row is None:
            self._check_unread(position, counts)
        elif published_row is not None and quarantined_row is not None:
            self.findings.add(position, DiscrepancyType.DUPLICATED, "it is published, and in quarantine as well")
        elif quarantined_row is not None:
            self._check_quarantined(record, rejection, quarantined_row)
        elif rejection is not None:
            self.findings.add(position, DiscrepancyType.MISCLASSIFIED, "it is invalid, but published")

    def _check_unread(self, position: StreamPosition, counts: PartitionCounts) -> None:
        """Check that a record in neither table was not read yet."""
        if position.sequence_number > self._tables.progress.get(position.shard, -1):
            counts.waiting += 1
        else:
            detail = "it was read, but is neither published nor in quarantine"
            self.findings.add(position, DiscrepancyType.MISSING, detail)

    def _check_quarantined(self, record: StreamRecord, rejection: ExpectedRejection | None, row: int) -> None:
        """Check a record in quarantine; `rejection` is None if the current rules accept it."""
        found = {name: self._tables.quarantined[name][row].as_py() for name in QUARANTINE_SCHEMA.names}
        if found["bytes"] != record.value:
            detail = "its bytes in quarantine are not those of the stream"
            self.findings.add(record.position, DiscrepancyType.MODIFIED, detail)
        elif found["rules_version"] == self._version and (found["reason"], found["field"]) != rejection:
            detail = f"it is in quarantine as {found['reason']}, but is {rejection or 'valid'}"
            self.findings.add(record.position, DiscrepancyType.MISCLASSIFIED, detail)

    def _compare_cells(self, records: list[StreamRecord], wanted: pa.Table) -> None:
        """Compare the published rows of valid records with the expected ones."""
        numbers = [number for number, record in enumerate(records) if record.position in self._published]
        rows = [self._published[records[number].position] for number in numbers]
        expected = wanted.take(pa.array(numbers, pa.int64()))
        found = self._tables.published.select(expected.column_names).take(pa.array(rows, pa.int64()))
        if not expected.equals(found):
            for number, expected_cells, found_cells in zip(
                numbers, expected.to_pylist(), found.to_pylist(), strict=True
            ):
                if expected_cells != found_cells:
                    detail = "its row has other cells than the record"
                    self.findings.add(records[number].position, DiscrepancyType.MODIFIED, detail)

    def find_unexpected_rows(self) -> None:
        """Report the rows that no record of the stream has, although the stream still has older records."""
        for table, rows in (("in the table", self._published), ("in quarantine", self._quarantined)):
            for position in rows.keys() - self._matched:
                if position.sequence_number >= self._oldest.get(position.shard, position.sequence_number + 1):
                    detail = f"it is {table}, but not in the stream"
                    self.findings.add(position, DiscrepancyType.UNEXPECTED, detail)


def _rows(table: Snapshot | None, columns: pa.Schema) -> pa.Table:
    wanted = pa.schema([*columns, (SHARD, pa.string()), (SEQUENCE_NUMBER, pa.string())])
    if table is None:
        return wanted.empty_table()
    return read_rows(table.delta, wanted).combine_chunks()


def _positions(rows: pa.Table) -> Iterator[StreamPosition]:
    for shard, number in zip(rows[SHARD].to_pylist(), rows[SEQUENCE_NUMBER].to_pylist(), strict=True):
        yield StreamPosition(shard, int(number))


def _progress(metadata: Mapping[str, Any]) -> dict[str, int]:
    return {shard: int(number) for shard, number in metadata["shards"].items()}
