"""A small world in which all went well, kept in memory, to plant defects in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pin_pipeline.audit.auditor import audit
from pin_pipeline.audit.findings import Findings, Position
from pin_pipeline.audit.objects import Landed
from pin_pipeline.audit.tables import Published, Quarantined, Tables
from pin_pipeline.lakehouse.version import rules_version
from pin_pipeline.records import GEO
from pin_pipeline.records.rules import Problem, Rules
from pin_pipeline_tests.rows import geo, user

FOLDER = "topics/t.geo/partition={}/"


@dataclass
class World:
    """What is on the topic, on S3 and in the tables; the auditor asks it as it asks the real parts."""

    topic: dict[int, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    landed: dict[int, list[Landed]] = field(default_factory=dict)
    tables: Tables = field(default_factory=Tables)

    def partitions(self) -> list[int]:
        return sorted(self.landed)

    def begin(self, partition: int) -> int:
        return self.topic[partition][0][0]

    def end(self, partition: int) -> int:
        return self.topic[partition][-1][0] + 1

    def messages(self, partition: int, first: int) -> Iterator[tuple[int, bytes | None]]:
        return iter([message for message in self.topic[partition] if message[0] >= first])

    def records(self, partition: int, first: int) -> Iterator[Landed]:
        return iter([record for record in self.landed[partition] if record.offset >= first])

    def audit(self, since: dict[int, int] | None = None) -> Findings:
        parts: Any = self
        return audit(GEO, parts, parts, self.tables, since or {})


def good_world(random: Random, records: int = 40, partitions: int = 2) -> World:
    """Records of few keys, some that do not fit, all landed and cleaned."""
    world, rules = World(), Rules(GEO)
    dirty = [b"no json", json.dumps(user(3)).encode(), json.dumps(geo(4, latitude=123)).encode(), None]
    for partition in range(partitions):
        values: list[bytes | None] = [
            json.dumps(geo(random.randrange(12), country=f"Land {number}")).encode() for number in range(records)
        ]
        values = [random.choice(dirty) if random.random() < 0.2 else value for value in values]
        folder = FOLDER.format(partition)
        world.topic[partition] = list(enumerate(values))
        world.landed[partition] = [
            Landed(offset, value, folder, f"{folder}t.geo+{partition}+{offset - offset % 10:010d}.json")
            for offset, value in world.topic[partition]
        ]
        world.tables.last_keys[folder] = world.landed[partition][-1].key
    for offset, partition in sorted((offset, number) for number in world.topic for offset, _ in world.topic[number]):
        value, position = world.topic[partition][offset][1], Position(partition, offset)
        expected = rules.expected(value)
        if isinstance(expected, Problem):
            world.tables.quarantined[position] = Quarantined(expected.reason, expected.field, value, rules_version(GEO))
        else:
            world.tables.published[expected[0]] = Published(position, expected)
    return world
