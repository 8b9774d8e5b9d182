"""Verification of a connector's objects against a real broker and a real S3 endpoint.

The tests write the objects themselves, in the layout of Confluent's S3 sink.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pin_pipeline.aws.msk_connect import ConnectorState
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.landing.kafka_connect import wait_until_landed
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.landing.topic_reader import LandingError
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction

RECORDS = [json.dumps({"index": number}).encode() for number in range(12)]


@dataclass
class Sink:
    """Writes the records of a topic as objects and commits offsets, as a connector does."""

    settings: Settings
    record_type: str = "pin"
    name: str = "sink"
    states: list[ConnectorState] = field(default_factory=lambda: [ConnectorState("RUNNING", "")])
    consumer_group: str = "connect-sink"

    @property
    def topic(self) -> str:
        return self.settings.topic(self.record_type)

    def state(self) -> ConnectorState:
        return self.states[0]

    def put(self, sizes: Sequence[int], *, commit: bool = True, first: int = 0) -> None:
        """Write objects of the given numbers of records, starting with record number `first` of partition 0."""
        broker = BrokerReader(self.settings.kafka, self.topic)
        messages = iter(list(broker.messages(0, 0))[first:])
        broker.close()
        last = 0
        for size in sizes:
            taken = [next(messages) for _ in range(size)]
            body = b"\n".join(value or b"" for _, value in taken) + b"\n"
            self.write(taken[0][0], body)
            last = taken[-1][0] + 1
        if commit:
            self.commit(last)

    def write(self, offset: int, body: bytes) -> None:
        store = ObjectStore.of(self.settings)
        key = ObjectName("topics", self.topic, 0, offset).key
        store.client.put_object(Bucket=store.bucket, Key=key, Body=body)

    def commit(self, offset: int) -> None:
        consumer = KafkaConsumer(
            **self.settings.kafka.kafka_python(), group_id=self.consumer_group, enable_auto_commit=False
        )
        consumer.commit({TopicPartition(self.topic, 0): OffsetAndMetadata(offset, "", -1)})
        consumer.close()


@pytest.fixture
def sink(settings: Settings) -> Sink:
    return Sink(settings, consumer_group=f"connect-{settings.prefix}")


def wait_for(sink: Sink, timeout_seconds: float = 30, *, verify_all: bool = False) -> LandingResult:
    return wait_until_landed(
        sink.settings.kafka,
        ObjectStore.of(sink.settings),
        sink.topic,
        sink,
        timeout_seconds=timeout_seconds,
        verify_all=verify_all,
    )


def test_existing_objects_are_verified_once(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5, 5, 2])
    landed = wait_for(sink)
    assert (landed.records, landed.objects, landed.missing) == (12, 3, 0)
    again = wait_for(sink)
    assert (again.records, again.objects, again.missing) == (0, 0, 0)
    assert wait_for(sink, verify_all=True).records == 12


def test_waits_until_connector_has_committed_the_initial_end_offsets(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    outcome: list[LandingResult] = []
    waiting = threading.Thread(target=lambda: outcome.append(wait_for(sink)))
    waiting.start()
    sink.put([7], first=5, commit=False)
    waiting.join(1)
    assert waiting.is_alive(), "an uncommitted object may be overwritten"
    sink.commit(12)
    waiting.join(30)
    assert [landed.missing for landed in outcome] == [0]


def test_offsets_without_records_inside_an_object_are_no_loss(sink: Sink) -> None:
    produce_in_transaction(sink.settings, "pin", RECORDS[:3], commit=True)
    produce_in_transaction(sink.settings, "pin", RECORDS[3:5], commit=False)
    produce(sink.settings, "pin", RECORDS[5:8])
    sink.put([5, 1])
    landed = wait_for(sink)
    assert (landed.records, landed.objects, landed.missing) == (6, 2, 0)
    produce_in_transaction(sink.settings, "pin", RECORDS[8:9], commit=False)
    assert wait_for(sink).missing == 0, "after the last record there are only aborted ones"


def test_error_names_failed_connector_with_state_and_advice(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.states[0] = ConnectorState("FAILED", "InvalidInput.InvalidConnectorConfiguration: no such bucket")
    with pytest.raises(LandingError) as caught:
        wait_for(sink)
    assert str(caught.value) == (
        "connector sink failed, its state is FAILED (InvalidInput.InvalidConnectorConfiguration: no such bucket); "
        f"topic {sink.topic} is landed up to partition 0: 5 of 12; read the connector's log, fix the cause, and run "
        "the job restart_connector"
    )


def test_error_names_stuck_connector_with_state_and_advice(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    with pytest.raises(LandingError) as caught:
        wait_for(sink, 0.5)
    assert str(caught.value) == (
        f"connector sink has landed nothing for 0.5 s, its state is RUNNING; topic {sink.topic} is landed up to "
        "partition 0: 0 of 12; read the connector's log, fix the cause, and run the job restart_connector"
    )


def test_error_names_skipped_record(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.put([5], first=7)
    with pytest.raises(
        LandingError,
        match=rf"^no object has offset 5 of {sink.topic}/0, but the later .*0000000007\.json exists: "
        r"an object was deleted, or the connector skipped the record; reset the connector's offsets, and land again$",
    ):
        wait_for(sink)


def test_object_overwritten_before_commit_is_verified_in_its_final_form(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.put([3], first=5, commit=False)
    outcome: list[LandingResult] = []
    waiting = threading.Thread(target=lambda: outcome.append(wait_for(sink)))
    waiting.start()
    waiting.join(1)
    sink.put([7], first=5)
    waiting.join(30)
    assert [(landed.records, landed.objects, landed.missing) for landed in outcome] == [(12, 2, 0)]


@pytest.mark.parametrize(("first", "second", "begin"), [(5, 9, 3), (12, 5, 7), (12, 2, 10)])
def test_overlapping_objects_are_an_error(sink: Sink, first: int, second: int, begin: int) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([first])
    sink.put([second], first=begin)
    with pytest.raises(
        LandingError,
        match=rf"{begin:010d}\.json begins before the end of the previous object, at {first}: "
        r".*delete it, and land again$",
    ):
        wait_for(sink)


def test_record_with_line_break_is_an_error(sink: Sink) -> None:
    produce(sink.settings, "pin", [b'{"a":\n1}'])
    sink.put([1])
    with pytest.raises(LandingError, match=r"has 2 lines, but the topic has 1 records from there on"):
        wait_for(sink)


def test_objects_with_holes_are_cleaned_and_reconciled_once_and_in_order(
    settings: Settings, engine: BatchEngine[Any]
) -> None:
    sink = Sink(settings, "geo")
    rows = [json.dumps(geo(number)).encode() for number in range(8)]
    produce_in_transaction(settings, "geo", rows[:3], commit=True)
    produce_in_transaction(settings, "geo", rows[:2], commit=False)
    produce(settings, "geo", rows[3:])
    sink.put([5])
    sink.put([3], first=5, commit=False)
    lake, store, record_types = Lake.of(settings), ObjectStore.of(settings), {sink.topic: RECORD_TYPES["geo"]}
    store.set_verified_offsets(sink.topic, {})
    [before] = clean_topics(engine, lake, store, record_types)
    assert before.rows == 0, "no object is read before it is verified"
    sink.commit(12)
    assert wait_for(sink).missing == 0
    [report] = clean_topics(engine, lake, store, record_types)
    assert (report.rows, report.metadata["landed"], report.metadata["unreconciled"]) == (8, 8, 0)
    findings = reconcile_topic(RECORD_TYPES["geo"], sink.topic, settings.kafka, lake, store)
    assert not findings.discrepancies, [*findings.sentences()]
    produce(settings, "geo", [geo(20)])
    sink.put([1], first=8)
    assert wait_for(sink).records == 1
    list(clean_topics(engine, lake, store, record_types))
    since = {number: found.next_offset for number, found in findings.partitions.items()}
    assert not reconcile_topic(
        RECORD_TYPES["geo"], sink.topic, settings.kafka, Lake.of(settings), store, since
    ).discrepancies
