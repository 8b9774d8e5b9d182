"""A small world in which all went well, kept in memory, to plant defects in."""

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
from pin_pipeline.reconciliation.reference_rules import schema
from pin_pipeline.reconciliation.tables import OFFSET, PARTITION, Published, Quarantined, TopicTables
from pin_pipeline.reconciliation.topic import audit
from pin_pipeline.records import GEO
from pin_pipeline.records.rules import Rejected, Row, Validator
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline_tests.helpers.rows import geo, user

FOLDER = "topics/t.geo/partition={}/"
OBJECT = 10


class Record(NamedTuple):
    """A landed record."""

    offset: int
    value: bytes | None


class InTable(NamedTuple):
    """A published row."""

    position: TopicPosition
    row: Row


@dataclass
class World:
    """What is on the topic, on S3 and in the tables; the auditor asks it as it asks the real parts."""

    topic: dict[int, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    records: dict[int, list[Record]] = field(default_factory=dict)
    published: dict[Any, InTable] = field(default_factory=dict)
    quarantined: dict[TopicPosition, Quarantined] = field(default_factory=dict)
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
        """The landed records as objects of ten offsets; where one is missing or doubled, another object begins."""
        records = [record for record in self.records[partition] if record.offset >= first]
        ordinals = enumerate(records)
        for _, group in groupby(ordinals, lambda each: (each[1].offset - each[0], each[1].offset // OBJECT)):
            of_object = [record for _, record in group]
            begin = of_object[0].offset
            yield LandedRange(key(partition, begin), begin, [record.value for record in of_object])

    def tables(self) -> TopicTables:
        names = [column.name for column in GEO.columns]
        rows = [
            dict(zip(names, row, strict=True)) | {PARTITION: position.partition, OFFSET: position.offset}
            for position, row in self.published.values()
        ]
        types = [*schema(GEO), pa.field(PARTITION, pa.int32()), pa.field(OFFSET, pa.int64())]
        published = Published(GEO, pa.Table.from_pylist(rows, pa.schema(types)))
        return TopicTables(published, self.quarantined, last_keys=self.last_keys)

    def audit(self, since: dict[int, int] | None = None) -> TopicFindings:
        parts: Any = self
        return audit(GEO, parts, parts, self.tables(), since or {})


def key(partition: int, offset: int) -> str:
    return f"{FOLDER.format(partition)}t.geo+{partition}+{offset:010d}.json"


def good_world(random: Random, records: int = 40, partitions: int = 2) -> World:
    """Records of few keys, some that do not fit, all landed and cleaned."""
    world, rules = World(), Validator(GEO)
    dirty = [b"no json", json.dumps(user(3)).encode(), json.dumps(geo(4, latitude=123)).encode(), None]
    for partition in range(partitions):
        values: list[bytes | None] = [
            json.dumps(geo(random.randrange(12), country=f"Land {number}")).encode() for number in range(records)
        ]
        values = [random.choice(dirty) if random.random() < 0.2 else value for value in values]
        world.topic[partition] = list(enumerate(values))
        world.records[partition] = [Record(offset, value) for offset, value in world.topic[partition]]
        world.last_keys[FOLDER.format(partition)] = key(partition, records - 1)
    for offset, partition in sorted((offset, number) for number in world.topic for offset, _ in world.topic[number]):
        value, position = world.topic[partition][offset][1], TopicPosition(partition, offset)
        outcome = rules.validate(value)
        if isinstance(outcome, Rejected):
            world.quarantined[position] = Quarantined(outcome.reason, outcome.field, value, rules_version(GEO))
        else:
            world.published[outcome.row[0]] = InTable(position, outcome.row)
    return world
