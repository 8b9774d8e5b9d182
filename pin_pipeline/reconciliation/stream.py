"""Prove of every record of a Kinesis stream that it was published or quarantined, once and as it came.

Plain Python over the service and the Delta files; shares no code with the queries that it audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pyarrow as pa
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pin_pipeline.reconciliation.findings import Breach, PartitionCounts, StreamFindings, StreamPosition
from pin_pipeline.reconciliation.reference_rules import ExpectedRejection, expect, schema
from pin_pipeline.reconciliation.topic import ReconciliationError
from pin_pipeline.records import PIN, RECORD_TYPES, RecordType
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

SHARD, SEQUENCE_NUMBER = "source_shard", "source_sequence_number"
RECORDS_AT_ONCE = 10_000
# A shard answers five requests a second, and the streaming jobs are asking too.
PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 20})


class StreamRecord(NamedTuple):
    """A record of the stream."""

    position: StreamPosition
    key: str
    value: bytes


@dataclass(frozen=True)
class StreamTables:
    """What stands in the tables of a kind.

    Attributes:
        published: the kind's columns, shard and sequence number.
        quarantined: reason, field, bytes, rules_version, shard and sequence number.
        covered: the highest sequence number that was read, by shard, as the published table's last commit says.
    """

    published: pa.Table
    quarantined: pa.Table
    covered: Mapping[str, int]

    @classmethod
    def read(cls, lake: Lake, record_type: RecordType) -> StreamTables:
        """The tables as they are now; empty where there are none yet."""
        published, quarantined = (
            lake.snapshot(f"{area}/{record_type.name}") for area in ("streams", "quarantine/streams")
        )
        return cls(
            _rows(published, schema(record_type)),
            _rows(quarantined, MISFIT_SCHEMA),
            {} if published is None else _covered(published.last_commit.metadata),
        )


MISFIT_SCHEMA = pa.schema(
    [("reason", pa.string()), ("field", pa.string()), ("bytes", pa.binary()), ("rules_version", pa.string())]
)


def reconcile_stream_of(record_type: RecordType, settings: Settings) -> tuple[str, StreamFindings]:
    """Audit the stream that brings a kind's records, by its name; see `audit_stream`."""
    lake, where = Lake.of(settings), (settings.region, settings.kinesis_endpoint_url)
    if not settings.share_one_stream:
        stream = settings.stream(record_type.name)
        return stream, reconcile_stream(record_type, stream, *where, lake, lambda _: True)
    others = frozenset(RECORD_TYPES) - {record_type.name}
    # A record whose key names no kind counts as a pin.
    own = (lambda key: key not in others) if record_type is PIN else (lambda key: key == record_type.name)
    stream = f"{settings.one_stream} ({record_type.name})"
    return stream, reconcile_stream(record_type, settings.one_stream, *where, lake, own)


def reconcile_stream(
    record_type: RecordType, stream: str, region: str, endpoint_url: str | None, lake: Lake, own: Callable[[str], bool]
) -> StreamFindings:
    """Audit a stream as it stands in the service and in the tables.

    Args:
        own: whether the records of a partition key are of the kind.

    Raises:
        AuditError: the service or S3 cannot be read.
    """
    client: KinesisClient = boto3.client("kinesis", region_name=region, endpoint_url=endpoint_url, config=PATIENT)
    try:
        tables = StreamTables.read(lake, record_type)
        shards = [shard["ShardId"] for shard in _shards(client, stream)]
        records = (record for shard in shards for record in _records(client, stream, shard))
        return audit(record_type, (record for record in records if own(record.key)), tables)
    except (BotoCoreError, ClientError) as error:
        raise ReconciliationError(
            f"could not audit stream {stream} at {endpoint_url or 'AWS'} and in {lake.path('')}: {error!r}; check that "
            "both are up (`pin-pipeline status`)"
        ) from error


def audit(record_type: RecordType, records: Iterable[StreamRecord], tables: StreamTables) -> StreamFindings:
    """Look for each record of the stream in the tables, and for each row of the tables in the stream.

    Rows of records that the stream keeps no longer, which is told by those that it still keeps, are taken on trust; so
    are all of them where the stream is there no more.
    """
    auditor = _StreamReconciler(record_type, tables)
    stream = iter(records)
    while batch := list(islice(stream, RECORDS_AT_ONCE)):
        auditor.validate(batch)
    auditor.look_for_what_has_no_origin()
    return auditor.findings


class _StreamReconciler:
    def __init__(self, record_type: RecordType, tables: StreamTables) -> None:
        self.findings = StreamFindings()
        self._record_type, self._tables, self._version = record_type, tables, rules_version(record_type)
        self._published = self._by_position(tables.published, "it is in the table once more")
        self._quarantined = self._by_position(tables.quarantined, "it is in quarantine once more")
        self._proven: set[StreamPosition] = set()
        self._oldest: dict[str, int] = {}

    def _by_position(self, rows: pa.Table, doubled: str) -> dict[StreamPosition, int]:
        positions = list(_positions(rows))
        for position, times in Counter(positions).items():
            if times > 1:
                self.findings.add(position, Breach.DOUBLED, doubled)
        return {position: row for row, position in enumerate(positions)}

    def validate(self, records: list[StreamRecord]) -> None:
        """Judge records, each by what should have become of it."""
        expected = expect(self._record_type, [record.value for record in records])
        fitting = [number for number in range(len(records)) if number not in expected.misfits]
        for number, record in enumerate(records):
            shard = record.position.shard
            self._oldest.setdefault(shard, record.position.sequence_number)
            counts = self.findings.partitions.setdefault(shard, PartitionCounts())
            row, misfit_row = self._published.get(record.position), self._quarantined.get(record.position)
            self._proven.add(record.position)
            counts.landed += 1
            counts.published += row is not None
            counts.quarantined += misfit_row is not None
            if row is None and misfit_row is None:
                self._missing(record.position, counts)
            elif row is not None and misfit_row is not None:
                self.findings.add(record.position, Breach.DOUBLED, "it is published, and in quarantine as well")
            elif misfit_row is not None:
                self._judge_quarantined(record, expected.misfits.get(number), misfit_row)
            elif number in expected.misfits:
                self.findings.add(record.position, Breach.MISJUDGED, "it does not fit, but is published")
        self._compare([records[number] for number in fitting], expected.rows.take(pa.array(fitting, pa.int64())))

    def _missing(self, position: StreamPosition, counts: PartitionCounts) -> None:
        if position.sequence_number > self._tables.covered.get(position.shard, -1):
            counts.waiting += 1
        else:
            self.findings.add(position, Breach.LOST, "it was read, but is neither published nor in quarantine")

    def _judge_quarantined(self, record: StreamRecord, misfit: ExpectedRejection | None, row: int) -> None:
        found = {name: self._tables.quarantined[name][row].as_py() for name in MISFIT_SCHEMA.names}
        if found["bytes"] != record.value:
            detail = "its bytes in quarantine are not those of the stream"
            self.findings.add(record.position, Breach.ALTERED, detail)
        elif found["rules_version"] == self._version and (found["reason"], found["field"]) != misfit:
            detail = f"it is in quarantine as {found['reason']}, but {f'is {misfit}' if misfit else 'fits'}"
            self.findings.add(record.position, Breach.MISJUDGED, detail)

    def _compare(self, records: list[StreamRecord], wanted: pa.Table) -> None:
        """Compare the cells of those that are published with what they should be."""
        numbers = [number for number, record in enumerate(records) if record.position in self._published]
        places = [self._published[records[number].position] for number in numbers]
        expected = wanted.take(pa.array(numbers, pa.int64()))
        found = self._tables.published.select(expected.column_names).take(pa.array(places, pa.int64()))
        if not expected.equals(found):
            for number, cells, its_cells in zip(numbers, expected.to_pylist(), found.to_pylist(), strict=True):
                if cells != its_cells:
                    detail = "its row has other cells than the record"
                    self.findings.add(records[number].position, Breach.ALTERED, detail)

    def look_for_what_has_no_origin(self) -> None:
        """Name the rows that no record of the stream stands behind, although it still keeps others as old."""
        for where, rows in (("in the table", self._published), ("in quarantine", self._quarantined)):
            for position in rows.keys() - self._proven:
                if position.sequence_number >= self._oldest.get(position.shard, position.sequence_number + 1):
                    self.findings.add(position, Breach.INVENTED, f"it is {where}, but not in the stream")


def _shards(client: KinesisClient, stream: str) -> Iterator[Any]:
    with suppress(client.exceptions.ResourceNotFoundException):  # there are no streams where nobody wants them
        for page in client.get_paginator("list_shards").paginate(StreamName=stream):
            yield from page["Shards"]


def _records(client: KinesisClient, stream: str, shard: str) -> Iterator[StreamRecord]:
    """The records of a shard from the oldest to the latest of now."""
    iterator: str | None = client.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        answer = client.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            position = StreamPosition(shard, int(record["SequenceNumber"]))
            yield StreamRecord(position, record["PartitionKey"], record["Data"])
        iterator = answer.get("NextShardIterator") if answer["MillisBehindLatest"] else None


def _rows(table: Snapshot | None, columns: pa.Schema) -> pa.Table:
    wanted = pa.schema([*columns, (SHARD, pa.string()), (SEQUENCE_NUMBER, pa.string())])
    if table is None:
        return wanted.empty_table()
    return table.delta.to_pyarrow_dataset().to_table(columns=wanted.names).cast(wanted).combine_chunks()


def _positions(rows: pa.Table) -> Iterator[StreamPosition]:
    for shard, number in zip(rows[SHARD].to_pylist(), rows[SEQUENCE_NUMBER].to_pylist(), strict=True):
        yield StreamPosition(shard, int(number))


def _covered(progress: Mapping[str, Any]) -> dict[str, int]:
    return {shard: int(number) for shard, number in progress["shards"].items()}
