"""Waiting for a connector's objects, against a real broker and a real S3 endpoint.

The objects are put by the test, in the layout of Confluent's S3 sink: a stand-in for the connector, no more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata
from pyspark.sql import SparkSession

from pin_pipeline.aws.msk_connect import ConnectorState
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.landing.kafka_connect import await_landed
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
    """Puts what is on a topic as objects, and commits as a connector does."""

    settings: Settings
    record_type: str = "pin"
    name: str = "sink"
    states: list[ConnectorState] = field(default_factory=lambda: [ConnectorState("RUNNING", "")])
    group: str = "connect-sink"

    @property
    def topic(self) -> str:
        return self.settings.topic(self.record_type)

    def state(self) -> ConnectorState:
        return self.states[0]

    def put(self, sizes: Sequence[int], *, commit: bool = True, first: int = 0) -> None:
        """Objects of so many records each, from the first-th record of partition 0 on."""
        broker = BrokerReader(self.settings.kafka, self.topic)
        messages = iter(list(broker.messages(0, 0))[first:])
        broker.close()
        last = 0
        for size in sizes:
            taken = [next(messages) for _ in range(size)]
            body = b"\n".join(value or b"" for _, value in taken) + b"\n"
            self.place(taken[0][0], body)
            last = taken[-1][0] + 1
        if commit:
            self.commit(last)

    def place(self, offset: int, body: bytes) -> None:
        store = ObjectStore.of(self.settings)
        key = ObjectName("topics", self.topic, 0, offset).key
        store.client.put_object(Bucket=store.bucket, Key=key, Body=body)

    def commit(self, offset: int) -> None:
        consumer = KafkaConsumer(**self.settings.kafka.kafka_python(), group_id=self.group, enable_auto_commit=False)
        consumer.commit({TopicPartition(self.topic, 0): OffsetAndMetadata(offset, "", -1)})
        consumer.close()


@pytest.fixture
def sink(settings: Settings) -> Sink:
    return Sink(settings, group=f"connect-{settings.prefix}")


def wait(sink: Sink, patience_seconds: float = 30, *, from_the_beginning: bool = False) -> LandingResult:
    return await_landed(
        sink.settings.kafka,
        ObjectStore.of(sink.settings),
        sink.topic,
        sink,
        patience_seconds=patience_seconds,
        from_the_beginning=from_the_beginning,
    )


def test_objects_that_are_there_are_proven_and_not_proven_again(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5, 5, 2])
    landed = wait(sink)
    assert (landed.records, landed.objects, landed.missing) == (12, 3, 0)
    again = wait(sink)
    assert (again.records, again.objects, again.missing) == (0, 0, 0)
    assert wait(sink, from_the_beginning=True).records == 12


def test_it_waits_until_the_connector_is_at_the_end_offsets_of_the_start(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    outcome: list[LandingResult] = []
    waiting = threading.Thread(target=lambda: outcome.append(wait(sink)))
    waiting.start()
    sink.put([7], first=5, commit=False)
    waiting.join(1)
    assert waiting.is_alive(), "an object that is not committed may be written anew"
    sink.commit(12)
    waiting.join(30)
    assert [landed.missing for landed in outcome] == [0]


def test_holes_of_transactions_within_an_object_are_no_loss(sink: Sink) -> None:
    produce_in_transaction(sink.settings, "pin", RECORDS[:3], commit=True)
    produce_in_transaction(sink.settings, "pin", RECORDS[3:5], commit=False)
    produce(sink.settings, "pin", RECORDS[5:8])
    sink.put([5, 1])
    landed = wait(sink)
    assert (landed.records, landed.objects, landed.missing) == (6, 2, 0)
    produce_in_transaction(sink.settings, "pin", RECORDS[8:9], commit=False)
    assert wait(sink).missing == 0, "behind the last record there is only what was aborted"


def test_a_failed_connector_is_told_with_its_state_and_what_to_do(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.states[0] = ConnectorState("FAILED", "InvalidInput.InvalidConnectorConfiguration: no such bucket")
    with pytest.raises(LandingError) as told:
        wait(sink)
    assert str(told.value) == (
        "connector sink failed, it is FAILED (InvalidInput.InvalidConnectorConfiguration: no such bucket); topic "
        f"{sink.topic} is landed up to partition 0: 5 of 12; look into its log, mend what it says, and run the job "
        "restart_connector"
    )


def test_a_stuck_connector_is_told_with_its_state_and_what_to_do(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    with pytest.raises(LandingError) as told:
        wait(sink, 0.5)
    assert str(told.value) == (
        f"connector sink has landed nothing for 0.5 s, it is RUNNING; topic {sink.topic} is landed up to partition 0: "
        "0 of 12; look into its log, mend what it says, and run the job restart_connector"
    )


def test_records_that_the_connector_passed_over_are_named(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.put([5], first=7)
    with pytest.raises(
        LandingError, match=rf"^no object has offset 5 of {sink.topic}/0, but .*0000000007\.json is there"
    ):
        wait(sink)


def test_an_object_that_is_written_anew_before_it_is_committed_is_proven_as_it_is_then(sink: Sink) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([5])
    sink.put([3], first=5, commit=False)
    outcome: list[LandingResult] = []
    waiting = threading.Thread(target=lambda: outcome.append(wait(sink)))
    waiting.start()
    waiting.join(1)
    sink.put([7], first=5)
    waiting.join(30)
    assert [(landed.records, landed.objects, landed.missing) for landed in outcome] == [(12, 2, 0)]


@pytest.mark.parametrize(("first", "second", "behind"), [(5, 9, 3), (12, 5, 7), (12, 2, 10)])
def test_records_that_are_in_two_objects_are_named(sink: Sink, first: int, second: int, behind: int) -> None:
    produce(sink.settings, "pin", RECORDS)
    sink.put([first])
    sink.put([second], first=behind)
    with pytest.raises(
        LandingError,
        match=rf"{behind:010d}\.json begins before the end of the object before it, at {first}: "
        r".*remove it, and land again$",
    ):
        wait(sink)


def test_a_record_with_a_line_break_is_told_and_not_taken_for_two(sink: Sink) -> None:
    produce(sink.settings, "pin", [b'{"a":\n1}'])
    sink.put([1])
    with pytest.raises(LandingError, match=r"has 2 lines, but the topic has 1 records from there on"):
        wait(sink)


def test_what_is_landed_with_holes_is_cleaned_and_audited_once_and_in_order(
    settings: Settings, session: Callable[[], SparkSession]
) -> None:
    sink = Sink(settings, "geo")
    rows = [json.dumps(geo(number)).encode() for number in range(8)]
    produce_in_transaction(settings, "geo", rows[:3], commit=True)
    produce_in_transaction(settings, "geo", rows[:2], commit=False)
    produce(settings, "geo", rows[3:])
    sink.put([5])
    sink.put([3], first=5, commit=False)
    lake, store, record_types = Lake.of(settings), ObjectStore.of(settings), {sink.topic: RECORD_TYPES["geo"]}
    store.set_proven(sink.topic, {})
    [before] = clean_topics(session, lake, store, record_types)
    assert before.rows == 0, "nothing is read before it is proven"
    sink.commit(12)
    assert wait(sink).missing == 0
    [report] = clean_topics(session, lake, store, record_types)
    assert (report.rows, report.metadata["landed"], report.metadata["unreconciled"]) == (8, 8, 0)
    findings = reconcile_topic(RECORD_TYPES["geo"], sink.topic, settings.kafka, lake, store)
    assert not findings.defects, [*findings.sentences()]
    produce(settings, "geo", [geo(20)])
    sink.put([1], first=8)
    assert wait(sink).records == 1
    list(clean_topics(session, lake, store, record_types))
    since = {number: found.next_offset for number, found in findings.partitions.items()}
    assert not reconcile_topic(RECORD_TYPES["geo"], sink.topic, settings.kafka, Lake.of(settings), store, since).defects
