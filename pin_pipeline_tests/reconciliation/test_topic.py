"""Reconciliation of a topic finds every injected defect, and none in a pipeline without defects."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from pin_pipeline.reconciliation.findings import DiscrepancyType, TopicPosition
from pin_pipeline_tests.reconciliation.in_memory_pipeline import InMemoryPipeline, TableRow, healthy_pipeline

Defect = Callable[[InMemoryPipeline, Random], tuple[set[TopicPosition], set[DiscrepancyType]]]
PIPELINES = 100


def drop_on_s3(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    """Remove a record of the topic from S3; its row or quarantined record may be left without an origin."""
    record = pipeline.records[0].pop(random.randrange(len(pipeline.records[0]) - 1))
    return {TopicPosition(0, record.offset)}, {DiscrepancyType.NOT_LANDED}


def duplicate_on_s3(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    number = random.randrange(len(pipeline.records[1]))
    record = pipeline.records[1][number]
    pipeline.records[1].insert(number + random.randrange(2), record)
    return {TopicPosition(1, record.offset)}, {DiscrepancyType.DUPLICATED}


def flip_on_s3(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    number = random.choice([number for number, record in enumerate(pipeline.records[0]) if record.value])
    record = pipeline.records[0][number]
    assert record.value
    at = random.randrange(len(record.value))
    flipped = record.value[:at] + bytes([record.value[at] ^ 1]) + record.value[at + 1 :]
    pipeline.records[0][number] = record._replace(value=flipped)
    return {TopicPosition(0, record.offset)}, {DiscrepancyType.MODIFIED}


def truncate_on_s3(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    number = random.choice([number for number, record in enumerate(pipeline.records[0]) if record.value])
    record = pipeline.records[0][number]
    assert record.value
    pipeline.records[0][number] = record._replace(value=record.value[: random.randrange(len(record.value))])
    return {TopicPosition(0, record.offset)}, {DiscrepancyType.MODIFIED}


def swap_on_s3(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    records = pipeline.records[1]
    one, other = random.sample(range(len(records)), 2)
    while records[one].value == records[other].value:
        one, other = random.sample(range(len(records)), 2)
    values = records[one].value, records[other].value
    records[one], records[other] = records[one]._replace(value=values[1]), records[other]._replace(value=values[0])
    return {TopicPosition(1, one), TopicPosition(1, other)}, {DiscrepancyType.MODIFIED}


def drop_from_the_table(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    row = pipeline.published.pop(random.choice(list(pipeline.published)))
    return {row.position}, {DiscrepancyType.MISSING}


def drop_from_quarantine(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    position = random.choice(list(pipeline.quarantined))
    pipeline.quarantined.pop(position)
    return {position}, {DiscrepancyType.MISSING}


def modify_a_cell(pipeline: InMemoryPipeline, random: Random) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    key = random.choice(list(pipeline.published))
    position, (ind, country, *others) = pipeline.published[key]
    pipeline.published[key] = TableRow(position, (ind, f"{country}!", *others))
    return {position}, {DiscrepancyType.MODIFIED}


def modify_bytes_in_quarantine(
    pipeline: InMemoryPipeline, random: Random
) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    position = random.choice(list(pipeline.quarantined))
    record = pipeline.quarantined[position]
    pipeline.quarantined[position] = record._replace(value=(record.value or b"") + b" ")
    return {position}, {DiscrepancyType.MODIFIED}


def quarantine_a_valid_record(
    pipeline: InMemoryPipeline, random: Random
) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    row = random.choice(list(pipeline.published.values()))
    other = next(iter(pipeline.quarantined.values()))
    pipeline.quarantined[row.position] = other
    return {row.position}, {DiscrepancyType.MISCLASSIFIED}


def quarantine_for_another_reason(
    pipeline: InMemoryPipeline, random: Random
) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    position = random.choice(list(pipeline.quarantined))
    pipeline.quarantined[position] = pipeline.quarantined[position]._replace(reason="no_reason")
    return {position}, {DiscrepancyType.MISCLASSIFIED}


def add_an_unexpected_row(
    pipeline: InMemoryPipeline, random: Random
) -> tuple[set[TopicPosition], set[DiscrepancyType]]:
    _, row = random.choice(list(pipeline.published.values()))
    pipeline.published[999] = TableRow(TopicPosition(1, 5), (999, *row[1:]))
    return {TopicPosition(1, 5)}, {DiscrepancyType.UNEXPECTED}


DEFECTS: list[Defect] = [
    drop_on_s3,
    duplicate_on_s3,
    flip_on_s3,
    truncate_on_s3,
    swap_on_s3,
    drop_from_the_table,
    drop_from_quarantine,
    modify_a_cell,
    modify_bytes_in_quarantine,
    quarantine_a_valid_record,
    quarantine_for_another_reason,
    add_an_unexpected_row,
]


@pytest.mark.parametrize("inject", DEFECTS, ids=lambda inject: inject.__name__)
def test_reconciliation_finds_each_injected_defect(inject: Defect) -> None:
    for seed in range(PIPELINES):
        random = Random(seed)
        pipeline = healthy_pipeline(random)
        positions, types = inject(pipeline, random)
        found = pipeline.reconcile().discrepancies
        assert positions <= {discrepancy.position for discrepancy in found}, seed
        assert types <= {discrepancy.type for discrepancy in found if discrepancy.position in positions}, seed


def test_reconciliation_of_healthy_pipeline_finds_nothing_and_counts_add_up() -> None:
    for seed in range(PIPELINES):
        findings = healthy_pipeline(Random(seed)).reconcile()
        assert findings.discrepancies == []
        assert findings.total("landed") == 80
        assert findings.total("waiting") == 0
        parts = [findings.total(name) for name in ("published", "superseded", "quarantined")]
        assert sum(parts) == 80
        assert min(parts) > 0


def test_reconciliation_counts_uncleaned_records_as_waiting() -> None:
    pipeline = healthy_pipeline(Random(1))
    pipeline.published, pipeline.quarantined, pipeline.last_keys = {}, {}, {}
    findings = pipeline.reconcile()
    assert findings.discrepancies == []
    assert (findings.total("landed"), findings.total("waiting")) == (0, 80)


def test_reconciliation_continues_at_next_offsets() -> None:
    pipeline = healthy_pipeline(Random(2))
    ends = {number: partition.next_offset for number, partition in pipeline.reconcile().partitions.items()}
    assert ends == {0: 40, 1: 40}
    again = pipeline.reconcile(ends)
    assert again.discrepancies == []
    assert again.total("landed") == 0


def test_reconciliation_follows_records_deleted_from_topic_from_s3_on() -> None:
    pipeline = healthy_pipeline(Random(3))
    pipeline.topic[0] = pipeline.topic[0][25:]
    assert pipeline.reconcile().discrepancies == []
    position = next(row.position for row in pipeline.published.values())
    pipeline.published = {key: row for key, row in pipeline.published.items() if row.position != position}
    assert position in {discrepancy.position for discrepancy in pipeline.reconcile().discrepancies}


def test_reconciliation_counts_records_quarantined_by_earlier_rules_as_replayable() -> None:
    pipeline = healthy_pipeline(Random(4))
    row = next(iter(pipeline.published.values()))
    other = next(iter(pipeline.quarantined.values()))
    del pipeline.published[row.row[0]]
    pipeline.quarantined[row.position] = other._replace(rules_version="earlier")
    findings = pipeline.reconcile()
    assert findings.total("replayable") == 1
    assert DiscrepancyType.MISCLASSIFIED not in {discrepancy.type for discrepancy in findings.discrepancies}
    assert row.position not in {discrepancy.position for discrepancy in findings.discrepancies}


def test_reconciliation_does_not_reread_partition_without_new_records() -> None:
    pipeline = healthy_pipeline(Random(5))
    ends = {number: partition.next_offset for number, partition in pipeline.reconcile().partitions.items()}
    pipeline.records.clear()
    pipeline.records.update({0: [], 1: []})
    again = pipeline.reconcile(ends)
    assert again.discrepancies == []
    assert {number: partition.next_offset for number, partition in again.partitions.items()} == ends
