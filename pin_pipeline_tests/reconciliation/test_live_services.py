"""Reconciliation of a real broker, real objects and real tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.local import ports
from pin_pipeline.reconciliation import broker
from pin_pipeline.reconciliation.errors import ReconciliationError
from pin_pipeline.reconciliation.findings import DiscrepancyType, TopicFindings
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import PIN, RecordType
from pin_pipeline.records.fields import Text
from pin_pipeline.records.record_type import published_column
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import pin, user
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction

COUNTS = ("landed", "published", "superseded", "quarantined", "waiting")


@pytest.fixture
def land_and_clean(settings: Settings, engine: BatchEngine[Any]) -> Callable[..., None]:
    """Produce, land and optionally clean pins."""

    def run(*values: Any, cleaning: bool = True) -> None:
        topic, store = settings.topic("pin"), ObjectStore.of(settings)
        produce(settings, "pin", values)
        land_topic(settings.kafka, store, topic)
        if cleaning:
            list(clean_topics(engine, Lake.of(settings), store, {topic: PIN}))

    return run


def reconcile(settings: Settings, since: dict[int, int] | None = None, record_type: RecordType = PIN) -> TopicFindings:
    topic, lake, store = settings.topic("pin"), Lake.of(settings), ObjectStore.of(settings)
    return reconcile_topic(record_type, topic, settings.kafka, lake, store, since)


def totals(findings: TopicFindings) -> tuple[int, ...]:
    return tuple(findings.total(name) for name in COUNTS)


def test_reconciliation_of_healthy_pipeline_finds_nothing_and_counts_add_up(
    settings: Settings, land_and_clean: Callable[..., None]
) -> None:
    assert totals(reconcile(settings)) == (0, 0, 0, 0, 0)
    land_and_clean(pin(1), pin(2), b"no json", user(3), pin(1, title="newer"), None, b'{"a":\n1}')
    produce_in_transaction(settings, "pin", [b"aborted"], commit=False)
    first = reconcile(settings)
    assert (list(first.sentences()), totals(first)) == ([], (7, 2, 1, 4, 0))
    land_and_clean(pin(2, title="later"), pin(9, follower_count="many"), cleaning=False)
    second = reconcile(settings, {number: counts.next_offset for number, counts in first.partitions.items()})
    assert (list(second.sentences()), totals(second)) == ([], (0, 0, 0, 0, 2))


def test_column_of_a_later_definition_counts_as_null_until_a_commit_adds_it(
    settings: Settings, land_and_clean: Callable[..., None]
) -> None:
    land_and_clean(pin(1), pin(2, colour="red"))
    fields = (*PIN.fields, Text(name="colour", description="Main colour.", required=False))
    edited = replace(PIN, fields=fields, columns=(*PIN.columns, published_column(fields, "colour", "string")))
    found = [
        (discrepancy.position.offset, discrepancy.type)
        for discrepancy in reconcile(settings, record_type=edited).discrepancies
    ]
    assert found == [(1, DiscrepancyType.MODIFIED)]


def test_reconciliation_finds_defects_in_objects_and_tables(
    settings: Settings, land_and_clean: Callable[..., None]
) -> None:
    land_and_clean(*(pin(number) for number in range(10)), b"no json")
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    name = ObjectName("topics", settings.topic("pin"), 0, 0)
    flipped = store.read(name).replace(b'"Pin 4"', b'"Pin 5"')
    store.client.put_object(Bucket=store.bucket, Key=name.key, Body=flipped)
    lake.require("cleaned/pin").delta.delete("ind = 7")
    lake.require("quarantine/pin").delta.delete()
    found = [
        (discrepancy.position.offset, discrepancy.type) for discrepancy in sorted(reconcile(settings).discrepancies)
    ]
    assert found == [
        (4, DiscrepancyType.MODIFIED),
        (4, DiscrepancyType.MODIFIED),
        (7, DiscrepancyType.MISSING),
        (10, DiscrepancyType.MISSING),
    ]


def test_reconciliation_error_names_topic_and_unreachable_broker(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "REQUEST_SECONDS", 1)
    address = f"127.0.0.1:{ports.free_port()}"
    with pytest.raises(
        ReconciliationError, match=f"could not reconcile topic {settings.topic('pin')} on the Kafka broker at {address}"
    ):
        reconcile_topic(
            PIN, settings.topic("pin"), KafkaConnection(address), Lake.of(settings), ObjectStore.of(settings)
        )
