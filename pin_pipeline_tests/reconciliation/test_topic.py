"""The auditor finds and names every defect, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from pin_pipeline.reconciliation.findings import Breach, TopicPosition
from pin_pipeline_tests.reconciliation.in_memory_pipeline import InTable, World, good_world

Plant = Callable[[World, Random], tuple[set[TopicPosition], set[Breach]]]
WORLDS = 100


def drop_on_s3(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    """A record that is on the topic is not on S3; it may leave a row or a quarantined record without an origin."""
    record = world.records[0].pop(random.randrange(len(world.records[0]) - 1))
    return {TopicPosition(0, record.offset)}, {Breach.DROPPED}


def double_on_s3(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    number = random.randrange(len(world.records[1]))
    record = world.records[1][number]
    world.records[1].insert(number + random.randrange(2), record)
    return {TopicPosition(1, record.offset)}, {Breach.DOUBLED}


def flip_on_s3(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    number = random.choice([number for number, record in enumerate(world.records[0]) if record.value])
    record = world.records[0][number]
    assert record.value
    at = random.randrange(len(record.value))
    flipped = record.value[:at] + bytes([record.value[at] ^ 1]) + record.value[at + 1 :]
    world.records[0][number] = record._replace(value=flipped)
    return {TopicPosition(0, record.offset)}, {Breach.ALTERED}


def truncate_on_s3(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    number = random.choice([number for number, record in enumerate(world.records[0]) if record.value])
    record = world.records[0][number]
    assert record.value
    world.records[0][number] = record._replace(value=record.value[: random.randrange(len(record.value))])
    return {TopicPosition(0, record.offset)}, {Breach.ALTERED}


def swap_on_s3(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    records = world.records[1]
    one, other = random.sample(range(len(records)), 2)
    while records[one].value == records[other].value:
        one, other = random.sample(range(len(records)), 2)
    values = records[one].value, records[other].value
    records[one], records[other] = records[one]._replace(value=values[1]), records[other]._replace(value=values[0])
    return {TopicPosition(1, one), TopicPosition(1, other)}, {Breach.ALTERED}


def drop_from_the_table(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    row = world.published.pop(random.choice(list(world.published)))
    return {row.position}, {Breach.LOST}


def drop_from_quarantine(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    position = random.choice(list(world.quarantined))
    world.quarantined.pop(position)
    return {position}, {Breach.LOST}


def alter_a_cell(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    key = random.choice(list(world.published))
    position, (ind, country, *others) = world.published[key]
    world.published[key] = InTable(position, (ind, f"{country}!", *others))
    return {position}, {Breach.ALTERED}


def alter_bytes_in_quarantine(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    position = random.choice(list(world.quarantined))
    record = world.quarantined[position]
    world.quarantined[position] = record._replace(value=(record.value or b"") + b" ")
    return {position}, {Breach.ALTERED}


def quarantine_what_fits(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    row = random.choice(list(world.published.values()))
    some = next(iter(world.quarantined.values()))
    world.quarantined[row.position] = some
    return {row.position}, {Breach.MISJUDGED}


def quarantine_for_another_reason(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    position = random.choice(list(world.quarantined))
    world.quarantined[position] = world.quarantined[position]._replace(reason="no_reason")
    return {position}, {Breach.MISJUDGED}


def invent_a_row(world: World, random: Random) -> tuple[set[TopicPosition], set[Breach]]:
    _, row = random.choice(list(world.published.values()))
    world.published[999] = InTable(TopicPosition(1, 5), (999, *row[1:]))
    return {TopicPosition(1, 5)}, {Breach.INVENTED}


PLANTS: list[Plant] = [
    drop_on_s3,
    double_on_s3,
    flip_on_s3,
    truncate_on_s3,
    swap_on_s3,
    drop_from_the_table,
    drop_from_quarantine,
    alter_a_cell,
    alter_bytes_in_quarantine,
    quarantine_what_fits,
    quarantine_for_another_reason,
    invent_a_row,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_each_of_a_hundred_planted_defects_is_found_and_named(plant: Plant) -> None:
    for seed in range(WORLDS):
        random = Random(seed)
        world = good_world(random)
        positions, breaches = plant(world, random)
        defects = world.audit().defects
        assert positions <= {defect.position for defect in defects}, seed
        assert breaches <= {defect.breach for defect in defects if defect.position in positions}, seed


def test_where_all_went_well_nothing_is_found_and_the_counts_add_up() -> None:
    for seed in range(WORLDS):
        findings = good_world(Random(seed)).audit()
        assert findings.defects == []
        assert findings.total("landed") == 80
        assert findings.total("waiting") == 0
        parts = [findings.total(name) for name in ("published", "superseded", "quarantined")]
        assert sum(parts) == 80
        assert min(parts) > 0


def test_what_the_cleaning_has_not_read_is_waiting_and_not_lost() -> None:
    world = good_world(Random(1))
    world.published, world.quarantined, world.last_keys = {}, {}, {}
    findings = world.audit()
    assert findings.defects == []
    assert (findings.total("landed"), findings.total("waiting")) == (0, 80)


def test_an_audit_goes_on_where_the_last_one_ended() -> None:
    world = good_world(Random(2))
    ends = {number: partition.next_offset for number, partition in world.audit().partitions.items()}
    assert ends == {0: 40, 1: 40}
    again = world.audit(ends)
    assert again.defects == []
    assert again.total("landed") == 0


def test_records_that_aged_out_of_the_topic_are_followed_from_s3_on() -> None:
    world = good_world(Random(3))
    world.topic[0] = world.topic[0][25:]
    assert world.audit().defects == []
    position = next(row.position for row in world.published.values())
    world.published = {key: row for key, row in world.published.items() if row.position != position}
    assert position in {defect.position for defect in world.audit().defects}


def test_what_earlier_rules_have_quarantined_is_replayable_and_no_breach() -> None:
    world = good_world(Random(4))
    row = next(iter(world.published.values()))
    some = next(iter(world.quarantined.values()))
    del world.published[row.row[0]]
    world.quarantined[row.position] = some._replace(rules_version="earlier")
    findings = world.audit()
    assert findings.total("replayable") == 1
    assert Breach.MISJUDGED not in {defect.breach for defect in findings.defects}
    assert row.position not in {defect.position for defect in findings.defects}


def test_a_partition_that_nothing_came_on_is_not_read_again() -> None:
    world = good_world(Random(5))
    ends = {number: partition.next_offset for number, partition in world.audit().partitions.items()}
    world.records.clear()
    world.records.update({0: [], 1: []})
    again = world.audit(ends)
    assert again.defects == []
    assert {number: partition.next_offset for number, partition in again.partitions.items()} == ends
