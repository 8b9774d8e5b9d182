"""The auditor of streams finds and names every planted defect, and nothing where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from pin_pipeline.reconciliation.findings import Breach, StreamFindings, StreamPosition
from pin_pipeline.reconciliation.reference_rules import schema
from pin_pipeline.reconciliation.stream import MISFIT_SCHEMA, SEQUENCE_NUMBER, SHARD, StreamRecord, StreamTables, audit
from pin_pipeline.records import GEO
from pin_pipeline.records.rules import Rejected, Validator
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline_tests.helpers.rows import geo, user

WORLDS, RECORDS = 100, 40
SHARDS = ("shardId-0", "shardId-1")
PLACES = [(SHARD, pa.string()), (SEQUENCE_NUMBER, pa.string())]

Row = dict[str, Any]


@dataclass
class World:
    """What is in the stream and in the tables."""

    stream: list[StreamRecord] = field(default_factory=list)
    published: list[Row] = field(default_factory=list)
    quarantined: list[Row] = field(default_factory=list)
    covered: dict[str, int] = field(default_factory=dict)

    def audit(self) -> StreamFindings:
        published = pa.Table.from_pylist(self.published, pa.schema([*schema(GEO), *PLACES]))
        quarantined = pa.Table.from_pylist(self.quarantined, pa.schema([*MISFIT_SCHEMA, *PLACES]))
        return audit(GEO, self.stream, StreamTables(published, quarantined, self.covered))


def good_world(random: Random) -> World:
    """Records of two shards, a fifth of which do not fit, all read."""
    world, rules = World(), Validator(GEO)
    dirty = [b"no json", json.dumps(user(3)).encode(), json.dumps(geo(4, latitude=123)).encode()]
    for shard in SHARDS:
        for number in range(RECORDS):
            value = json.dumps(geo(number, country=f"Land {number}")).encode()
            value = random.choice(dirty) if random.random() < 0.2 else value
            position = StreamPosition(shard, 10 * number)
            world.stream.append(StreamRecord(position, "geo", value))
            outcome, place = rules.validate(value), {SHARD: shard, SEQUENCE_NUMBER: str(10 * number)}
            if isinstance(outcome, Rejected):
                classified = {"reason": outcome.reason, "field": outcome.field, "rules_version": rules_version(GEO)}
                world.quarantined.append({**classified, "bytes": value, **place})
            else:
                cells = zip((column.name for column in GEO.columns), outcome.row, strict=True)
                world.published.append({**dict(cells), **place})
        world.covered[shard] = 10 * (RECORDS - 1)
    return world


def position(row: Row) -> StreamPosition:
    return StreamPosition(row[SHARD], int(row[SEQUENCE_NUMBER]))


def drop_from(table: str) -> Callable[[World, Random], tuple[StreamPosition, Breach]]:
    def plant(world: World, random: Random) -> tuple[StreamPosition, Breach]:
        rows = getattr(world, table)
        return position(rows.pop(random.randrange(len(rows)))), Breach.LOST

    return plant


def double_in(table: str) -> Callable[[World, Random], tuple[StreamPosition, Breach]]:
    def plant(world: World, random: Random) -> tuple[StreamPosition, Breach]:
        row = random.choice(getattr(world, table))
        getattr(world, table).append(dict(row))
        return position(row), Breach.DOUBLED

    return plant


def put_into_both(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    row = random.choice(world.published)
    place = {name: row[name] for name in (SHARD, SEQUENCE_NUMBER)}
    world.quarantined.append(dict(world.quarantined[0]) | place)
    return position(row), Breach.DOUBLED


def alter_a_cell(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    row = random.choice(world.published)
    name = random.choice(["ind", "country", "coordinates"])
    row[name] = {"ind": -1, "country": None, "coordinates": [0.0, 0.0]}[name]
    return position(row), Breach.ALTERED


def truncate_bytes(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    row = random.choice(world.quarantined)
    row["bytes"] = row["bytes"][: random.randrange(len(row["bytes"]))]
    return position(row), Breach.ALTERED


def publish_a_misfit(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    misfit = world.quarantined.pop(random.randrange(len(world.quarantined)))
    place = {name: misfit[name] for name in (SHARD, SEQUENCE_NUMBER)}
    world.published.append(dict(world.published[0]) | place)
    return position(misfit), Breach.MISJUDGED


def quarantine_what_fits(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    row = world.published.pop(random.randrange(len(world.published)))
    place = {name: row[name] for name in (SHARD, SEQUENCE_NUMBER)}
    [value] = [record.value for record in world.stream if record.position == position(row)]
    world.quarantined.append(dict(world.quarantined[0]) | place | {"bytes": value})
    return position(row), Breach.MISJUDGED


def give_another_reason(world: World, random: Random) -> tuple[StreamPosition, Breach]:
    row = random.choice(world.quarantined)
    row["reason"] = "another"
    return position(row), Breach.MISJUDGED


def invent(table: str) -> Callable[[World, Random], tuple[StreamPosition, Breach]]:
    def plant(world: World, random: Random) -> tuple[StreamPosition, Breach]:
        row = dict(random.choice(getattr(world, table)))
        row[SEQUENCE_NUMBER] = str(10 * random.randrange(RECORDS) + 5)
        getattr(world, table).append(row)
        return position(row), Breach.INVENTED

    return plant


PLANTS: dict[str, Callable[[World, Random], tuple[StreamPosition, Breach]]] = {
    "a row is missing": drop_from("published"),
    "a misfit is missing": drop_from("quarantined"),
    "a row is doubled": double_in("published"),
    "a misfit is doubled": double_in("quarantined"),
    "a record is in both": put_into_both,
    "a cell is another": alter_a_cell,
    "bytes are truncated": truncate_bytes,
    "a misfit is published": publish_a_misfit,
    "what fits is in quarantine": quarantine_what_fits,
    "a reason is another": give_another_reason,
    "a row is invented": invent("published"),
    "a misfit is invented": invent("quarantined"),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_every_planted_defect_is_found_and_named_and_nothing_else(
    plant: Callable[[World, Random], tuple[StreamPosition, Breach]],
) -> None:
    for seed in range(WORLDS):
        random = Random(seed)
        world = good_world(random)
        assert world.audit().defects == []
        where, breach = plant(world, random)
        assert {(defect.position, defect.breach) for defect in world.audit().defects} == {(where, breach)}, seed


def test_what_was_not_read_yet_waits_and_what_the_stream_keeps_no_longer_is_taken_on_trust() -> None:
    world = good_world(Random(1))
    del world.stream[:10]
    late = StreamRecord(StreamPosition(SHARDS[0], 10 * RECORDS), "geo", b"no json")
    world.stream.append(late)
    findings = world.audit()
    assert findings.defects == []
    assert findings.total("waiting") == 1
    assert findings.total("landed") == 2 * RECORDS - 10 + 1
    assert findings.total("published") + findings.total("quarantined") == 2 * RECORDS - 10


def test_a_defect_is_told_by_shard_and_sequence_number() -> None:
    world = good_world(Random(2))
    lost = position(world.published.pop(0))
    [sentence] = world.audit().sentences()
    assert sentence == (
        f"{lost.shard}, sequence number {lost.sequence_number} is lost: it was read, but is neither published nor in "
        "quarantine"
    )
