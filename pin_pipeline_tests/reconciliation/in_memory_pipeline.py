"""A small pipeline in memory whose records reconcile, for tests that inject defects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa

from pin_pipeline.reconciliation.findings import TopicFindings, TopicPosition
from pin_pipeline.reconciliation.objects import LandedRange
from pin_pipeline.reconciliation.reference_rules import published_schema
from pin_pipeline.reconciliation.tables import OFFSET, PARTITION, PublishedRows, QuarantinedRecord, TopicTables
from pin_pipeline.reconciliation.topic import reconcile_topic_records
from pin_pipeline.records import GEO
from pin_pipeline.records.rules import PublishedRow, Rejected, Validator
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline_tests.helpers.rows import geo, user

FOLDER = "topics/t.geo/partition={}/"
RECORDS_PER_OBJECT = 10


class LandedRecord(NamedTuple):
    """A landed record."""

    offset: int
    value: bytes | None


class TableRow(NamedTuple):
    """A published row."""

    position: TopicPosition
    row: PublishedRow


@dataclass
class InMemoryPipeline:
    """A topic, its objects and its tables; stands in for the broker and the object reader of a reconciliation."""

    topic: dict[int, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    records: dict[int, list[LandedRecord]] = field(default_factory=dict)
    published: dict[Any, TableRow] = field(default_factory=dict)
    quarantined: dict[TopicPosition, QuarantinedRecord] = field(default_factory=dict)
    last_keys: dict[str, str] = field(default_factory=dict)
    with_holes: bool = False

    def partitions(self) -> list[int]:
        return sorted(self.records)

    def begin(self, partition: int) -> int:
        return self.topic[partition][0][0]

    def end(self, partition: int) -> int:
        return self.topic[partition][-1][0] + 1

    def messages(self, partition: int, first: int) -> Iterator[tuple[int, bytes | None]]:
        return iter([message for message in self.topic[partition] if message[0] >= first])

    def landed(self, partition: int, first: int) -> Iterator[LandedRange]:
        """Yield the landed records as objects of ten offsets; a missing or duplicated record begins another object."""
        records = [record for record in self.records[partition] if record.offset >= first]
        ordinals = enumerate(records)
        for _, group in groupby(
            ordinals, lambda pair: (pair[1].offset - pair[0], pair[1].offset // RECORDS_PER_OBJECT)
        ):
            grouped = [record for _, record in group]
            begin = grouped[0].offset
            yield LandedRange(key(partition, begin), begin, [record.value for record in grouped])

    def tables(self) -> TopicTables:
        names = [column.name for column in GEO.columns]
        rows = [
            dict(zip(names, row, strict=True)) | {PARTITION: position.partition, OFFSET: position.offset}
            for position, row in self.published.values()
        ]
        types = [*published_schema(GEO), pa.field(PARTITION, pa.int32()), pa.field(OFFSET, pa.int64())]
        published = PublishedRows(GEO, pa.Table.from_pylist(rows, pa.schema(types)))
        return TopicTables(published, self.quarantined, last_keys=self.last_keys)

    def reconcile(self, since: dict[int, int] | None = None) -> TopicFindings:
        source: Any = self
        return reconcile_topic_records(GEO, source, source, self.tables(), since or {})


def key(partition: int, offset: int) -> str:
    return f"{FOLDER.format(partition)}t.geo+{partition}+{offset:010d}.json"


def healthy_pipeline(random: Random, records: int = 40, partitions: int = 2) -> InMemoryPipeline:
    """Return a pipeline of records of few keys, some of them invalid, all landed and cleaned."""
    pipeline, validator = InMemoryPipeline(), Validator(GEO)
    invalid = [b"no json", json.dumps(user(3)).encode(), json.dumps(geo(4, latitude=123)).encode(), None]
    for partition in range(partitions):
        values: list[bytes | None] = [
            json.dumps(geo(random.randrange(12), country=f"Land {number}")).encode() for number in range(records)
        ]
        values = [random.choice(invalid) if random.random() < 0.2 else value for value in values]
        pipeline.topic[partition] = list(enumerate(values))
        pipeline.records[partition] = [LandedRecord(offset, value) for offset, value in pipeline.topic[partition]]
        pipeline.last_keys[FOLDER.format(partition)] = key(partition, records - 1)
    for offset, partition in sorted(
        (offset, number) for number in pipeline.topic for offset, _ in pipeline.topic[number]
    ):
        value, position = pipeline.topic[partition][offset][1], TopicPosition(partition, offset)
        outcome = validator.validate(value)
        if isinstance(outcome, Rejected):
            pipeline.quarantined[position] = QuarantinedRecord(outcome.reason, outcome.field, value, rules_version(GEO))
        else:
            pipeline.published[outcome.row[0]] = TableRow(position, outcome.row)
    return pipeline
