"""Reconciliation of a stream finds every injected defect, and none in tables without defects."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from pin_pipeline.reconciliation.findings import DiscrepancyType, StreamFindings, StreamPosition
from pin_pipeline.reconciliation.reference_rules import published_schema
from pin_pipeline.reconciliation.stream_reconciler import (
    QUARANTINE_SCHEMA,
    SEQUENCE_NUMBER,
    SHARD,
    StreamRecord,
    StreamTables,
    reconcile_stream_records,
)
from pin_pipeline.records import GEO
from pin_pipeline.records.rules import Rejected, Validator
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline_tests.helpers.rows import geo, user

PIPELINES, RECORDS = 100, 40
SHARDS = ("shardId-0", "shardId-1")
POSITION_COLUMNS = [(SHARD, pa.string()), (SEQUENCE_NUMBER, pa.string())]

Row = dict[str, Any]


@dataclass
class InMemoryStream:
    """A stream and its tables."""

    stream: list[StreamRecord] = field(default_factory=list)
    published: list[Row] = field(default_factory=list)
    quarantined: list[Row] = field(default_factory=list)
    progress: dict[str, int] = field(default_factory=dict)

    def reconcile(self) -> StreamFindings:
        published = pa.Table.from_pylist(self.published, pa.schema([*published_schema(GEO), *POSITION_COLUMNS]))
        quarantined = pa.Table.from_pylist(self.quarantined, pa.schema([*QUARANTINE_SCHEMA, *POSITION_COLUMNS]))
        return reconcile_stream_records(GEO, self.stream, StreamTables(published, quarantined, self.progress))


def healthy_stream(random: Random) -> InMemoryStream:
    """Return a stream of two shards, a fifth of whose records are invalid, all read."""
    pipeline, validator = InMemoryStream(), Validator(GEO)
    invalid = [b"no json", json.dumps(user(3)).encode(), json.dumps(geo(4, latitude=123)).encode()]
    for shard in SHARDS:
        for number in range(RECORDS):
            value = json.dumps(geo(number, country=f"Land {number}")).encode()
            value = random.choice(invalid) if random.random() < 0.2 else value
            position = StreamPosition(shard, 10 * number)
            pipeline.stream.append(StreamRecord(position, "geo", value))
            outcome, source = validator.validate(value), {SHARD: shard, SEQUENCE_NUMBER: str(10 * number)}
            if isinstance(outcome, Rejected):
                classified = {"reason": outcome.reason, "field": outcome.field, "rules_version": rules_version(GEO)}
                pipeline.quarantined.append({**classified, "bytes": value, **source})
            else:
                cells = zip((column.name for column in GEO.columns), outcome.row, strict=True)
                pipeline.published.append({**dict(cells), **source})
        pipeline.progress[shard] = 10 * (RECORDS - 1)
    return pipeline


def position(row: Row) -> StreamPosition:
    return StreamPosition(row[SHARD], int(row[SEQUENCE_NUMBER]))


def drop_from(table: str) -> Callable[[InMemoryStream, Random], tuple[StreamPosition, DiscrepancyType]]:
    def inject(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
        rows = getattr(pipeline, table)
        return position(rows.pop(random.randrange(len(rows)))), DiscrepancyType.MISSING

    return inject


def duplicate_in(table: str) -> Callable[[InMemoryStream, Random], tuple[StreamPosition, DiscrepancyType]]:
    def inject(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
        row = random.choice(getattr(pipeline, table))
        getattr(pipeline, table).append(dict(row))
        return position(row), DiscrepancyType.DUPLICATED

    return inject


def put_into_both(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    row = random.choice(pipeline.published)
    source = {name: row[name] for name in (SHARD, SEQUENCE_NUMBER)}
    pipeline.quarantined.append(dict(pipeline.quarantined[0]) | source)
    return position(row), DiscrepancyType.DUPLICATED


def modify_a_cell(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    row = random.choice(pipeline.published)
    name = random.choice(["ind", "country", "coordinates"])
    row[name] = {"ind": -1, "country": None, "coordinates": [0.0, 0.0]}[name]
    return position(row), DiscrepancyType.MODIFIED


def truncate_bytes(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    row = random.choice(pipeline.quarantined)
    row["bytes"] = row["bytes"][: random.randrange(len(row["bytes"]))]
    return position(row), DiscrepancyType.MODIFIED


def publish_an_invalid_record(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    record = pipeline.quarantined.pop(random.randrange(len(pipeline.quarantined)))
    source = {name: record[name] for name in (SHARD, SEQUENCE_NUMBER)}
    pipeline.published.append(dict(pipeline.published[0]) | source)
    return position(record), DiscrepancyType.MISCLASSIFIED


def quarantine_a_valid_record(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    row = pipeline.published.pop(random.randrange(len(pipeline.published)))
    source = {name: row[name] for name in (SHARD, SEQUENCE_NUMBER)}
    [value] = [record.value for record in pipeline.stream if record.position == position(row)]
    pipeline.quarantined.append(dict(pipeline.quarantined[0]) | source | {"bytes": value})
    return position(row), DiscrepancyType.MISCLASSIFIED


def give_another_reason(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
    row = random.choice(pipeline.quarantined)
    row["reason"] = "other"
    return position(row), DiscrepancyType.MISCLASSIFIED


def add_unexpected_to(table: str) -> Callable[[InMemoryStream, Random], tuple[StreamPosition, DiscrepancyType]]:
    def inject(pipeline: InMemoryStream, random: Random) -> tuple[StreamPosition, DiscrepancyType]:
        row = dict(random.choice(getattr(pipeline, table)))
        row[SEQUENCE_NUMBER] = str(10 * random.randrange(RECORDS) + 5)
        getattr(pipeline, table).append(row)
        return position(row), DiscrepancyType.UNEXPECTED

    return inject


DEFECTS: dict[str, Callable[[InMemoryStream, Random], tuple[StreamPosition, DiscrepancyType]]] = {
    "a row is missing": drop_from("published"),
    "a rejected record is missing": drop_from("quarantined"),
    "a row is duplicated": duplicate_in("published"),
    "a rejected record is duplicated": duplicate_in("quarantined"),
    "a record is in both tables": put_into_both,
    "a cell is modified": modify_a_cell,
    "bytes are truncated": truncate_bytes,
    "an invalid record is published": publish_an_invalid_record,
    "a valid record is in quarantine": quarantine_a_valid_record,
    "a reason is modified": give_another_reason,
    "a row is unexpected": add_unexpected_to("published"),
    "a rejected record is unexpected": add_unexpected_to("quarantined"),
}


@pytest.mark.parametrize("inject", DEFECTS.values(), ids=DEFECTS.keys())
def test_reconciliation_finds_exactly_the_injected_defect(
    inject: Callable[[InMemoryStream, Random], tuple[StreamPosition, DiscrepancyType]],
) -> None:
    for seed in range(PIPELINES):
        random = Random(seed)
        pipeline = healthy_stream(random)
        assert pipeline.reconcile().discrepancies == []
        expected = inject(pipeline, random)
        found = {(discrepancy.position, discrepancy.type) for discrepancy in pipeline.reconcile().discrepancies}
        assert found == {expected}, seed


def test_reconciliation_counts_unread_records_as_waiting_and_skips_rows_older_than_the_stream() -> None:
    pipeline = healthy_stream(Random(1))
    del pipeline.stream[:10]
    late = StreamRecord(StreamPosition(SHARDS[0], 10 * RECORDS), "geo", b"no json")
    pipeline.stream.append(late)
    findings = pipeline.reconcile()
    assert findings.discrepancies == []
    assert findings.total("waiting") == 1
    assert findings.total("landed") == 2 * RECORDS - 10 + 1
    assert findings.total("published") + findings.total("quarantined") == 2 * RECORDS - 10


def test_sentence_names_shard_and_sequence_number() -> None:
    pipeline = healthy_stream(Random(2))
    missing = position(pipeline.published.pop(0))
    [sentence] = pipeline.reconcile().sentences()
    assert sentence == (
        f"{missing.shard}, sequence number {missing.sequence_number} is missing: it was read, but is neither "
        "published nor in quarantine"
    )
