"""The auditor over a real broker, real objects and real tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.local import ports
from pin_pipeline.reconciliation import broker
from pin_pipeline.reconciliation.findings import Breach, TopicFindings
from pin_pipeline.reconciliation.topic import ReconciliationError, reconcile_topic
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import pin, user
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction

COUNTS = ("landed", "published", "superseded", "quarantined", "waiting")


@pytest.fixture
def work(settings: Settings, spark: SparkSession) -> Callable[..., None]:
    """Posts, lands and, where asked for, cleans pins."""

    def work_off(*values: Any, cleaning: bool = True) -> None:
        topic, store = settings.topic("pin"), ObjectStore.of(settings)
        produce(settings, "pin", values)
        land_topic(settings.kafka, store, topic)
        if cleaning:
            list(clean_topics(lambda: spark, Lake.of(settings), store, {topic: PIN}))

    return work_off


def audited(settings: Settings, since: dict[int, int] | None = None) -> TopicFindings:
    topic, lake, store = settings.topic("pin"), Lake.of(settings), ObjectStore.of(settings)
    return reconcile_topic(PIN, topic, settings.kafka, lake, store, since)


def totals(findings: TopicFindings) -> tuple[int, ...]:
    return tuple(findings.total(name) for name in COUNTS)


def test_an_honest_pipeline_passes_and_the_counts_add_up(settings: Settings, work: Callable[..., None]) -> None:
    assert totals(audited(settings)) == (0, 0, 0, 0, 0)
    work(pin(1), pin(2), b"no json", user(3), pin(1, title="newer"), None, b'{"a":\n1}')
    produce_in_transaction(settings, "pin", [b"aborted"], commit=False)
    first = audited(settings)
    assert (list(first.sentences()), totals(first)) == ([], (7, 2, 1, 4, 0))
    work(pin(2, title="later"), pin(9, follower_count="many"), cleaning=False)
    second = audited(settings, {number: counts.next_offset for number, counts in first.partitions.items()})
    assert (list(second.sentences()), totals(second)) == ([], (0, 0, 0, 0, 2))


def test_defects_in_the_real_parts_are_named(settings: Settings, work: Callable[..., None]) -> None:
    work(*(pin(number) for number in range(10)), b"no json")
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    name = ObjectName("topics", settings.topic("pin"), 0, 0)
    flipped = store.read(name).replace(b'"Pin 4"', b'"Pin 5"')
    store.client.put_object(Bucket=store.bucket, Key=name.key, Body=flipped)
    lake.existing("cleaned/pin").delta.delete("ind = 7")
    lake.existing("quarantine/pin").delta.delete()
    found = [(defect.position.offset, defect.breach) for defect in sorted(audited(settings).defects)]
    assert found == [(4, Breach.ALTERED), (4, Breach.ALTERED), (7, Breach.LOST), (10, Breach.LOST)]


def test_without_a_broker_it_says_what_it_tried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 1)
    where = f"127.0.0.1:{ports.free()}"
    with pytest.raises(
        ReconciliationError, match=f"could not audit topic {settings.topic('pin')} on the Kafka broker at {where}"
    ):
        reconcile_topic(PIN, settings.topic("pin"), KafkaConnection(where), Lake.of(settings), ObjectStore.of(settings))
