"""Landing against a real broker and a real S3 endpoint: each record once, whatever is killed when."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing import lander, topic_reader
from pin_pipeline.landing.lander import LandingResult, land_topic
from pin_pipeline.landing.topic_reader import LandingError
from pin_pipeline.settings import Settings
from pin_pipeline.storage import object_format
from pin_pipeline.storage.object_keys import AREAS, ObjectName
from pin_pipeline.storage.object_store import ObjectStore, StoreError
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction

RECORDS = [json.dumps({"index": number}).encode() for number in range(30)]


@pytest.fixture(autouse=True)
def small_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven records an object, so that few records make many objects."""
    monkeypatch.setattr(lander, "chunks", lambda records: object_format.chunks(records, max_records=7))


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return ObjectStore.of(settings)


def land_pins(settings: Settings, store: ObjectStore | None = None) -> LandingResult:
    return land_topic(settings.kafka, store or ObjectStore.of(settings), settings.topic("pin"))


def objects(settings: Settings) -> dict[str, bytes]:
    """Every landed object of the pin topic, with its bytes."""
    store = ObjectStore.of(settings)
    names = [
        name
        for area in AREAS
        for partition in store.partitions(area, settings.topic("pin"))
        for name in store.names_from(ObjectName(area, settings.topic("pin"), partition, 0))
    ]
    return {name.key: store.read(name) for name in names}


def lines(settings: Settings) -> list[bytes]:
    return [line for key, body in objects(settings).items() if key.startswith("topics/") for line in body.splitlines()]


def test_every_record_lands_once_in_the_bytes_it_arrived_in(settings: Settings) -> None:
    odd = ['{"a": "é😀 …"}'.encode(), b'{ "b" : 1.0e3 ,"b":2}', b'"text"', b"null"]
    produce(settings, "pin", [*RECORDS, *odd])
    landed = land_pins(settings)
    assert (landed.records, landed.objects, landed.missing) == (34, 5, 0)
    assert lines(settings) == [*RECORDS, *odd]


def test_landing_again_writes_nothing(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    before = objects(settings)
    again = land_pins(settings)
    assert (again.records, again.objects, again.missing) == (0, 0, 0)
    assert objects(settings) == before


def test_new_records_go_into_new_objects(settings: Settings) -> None:
    produce(settings, "pin", RECORDS[:10])
    land_pins(settings)
    produce(settings, "pin", RECORDS[10:])
    assert land_pins(settings).records == 20
    assert lines(settings) == RECORDS


def test_all_partitions_are_landed(settings: Settings) -> None:
    for partition in range(3):
        produce(settings, "pin", RECORDS[partition * 10 : partition * 10 + 10], partition)
    assert land_pins(settings).next_offsets == {0: 10, 1: 10, 2: 10}
    assert sorted(lines(settings)) == sorted(RECORDS)


def test_what_is_no_json_is_set_aside_with_its_position(settings: Settings) -> None:
    produce(settings, "pin", [b"{}", b"hello", b"\xff\x00", None, b"", b"{}"])
    landed = land_pins(settings)
    assert (landed.records, landed.set_aside) == (6, 4)
    (aside,) = [body for key, body in objects(settings).items() if key.startswith("quarantine/")]
    assert [json.loads(line)["offset"] for line in aside.splitlines()] == [1, 2, 3, 4]


def test_a_transaction_marker_closes_the_object_and_aborted_records_do_not_land(settings: Settings) -> None:
    produce_in_transaction(settings, "pin", RECORDS[:3], commit=True)
    produce_in_transaction(settings, "pin", RECORDS[3:5], commit=False)
    produce(settings, "pin", RECORDS[5:8])
    landed = land_pins(settings)
    assert lines(settings) == RECORDS[:3] + RECORDS[5:8]
    assert [int(key[-15:-5]) for key in objects(settings)] == [0, 7]
    assert (landed.next_offsets[0], landed.missing) == (10, 0)
    assert land_pins(settings).records == 0


class Crash(BaseException):
    """The process is gone: nothing catches this."""


@dataclass(frozen=True)
class CrashingStore(ObjectStore):
    """Dies at the n-th write, before or after the object is there."""

    crash_at: int = 0
    written: bool = False

    def put_once(self, name: ObjectName, body: bytes) -> bool:
        if len(objects_of(self, name)) + 1 < self.crash_at:
            return super().put_once(name, body)
        if self.written:
            super().put_once(name, body)
        raise Crash


def objects_of(store: ObjectStore, name: ObjectName) -> list[ObjectName]:
    return list(store.names_from(replace(name, offset=0)))


@pytest.mark.parametrize("written", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("crash_at", [1, 3, 5])
def test_a_crash_around_any_write_and_a_rerun_give_the_same_objects(
    settings: Settings, store: ObjectStore, crash_at: int, written: bool
) -> None:
    produce(settings, "pin", RECORDS)
    crashing = CrashingStore(store.client, store.bucket, crash_at, written)
    with pytest.raises(Crash):
        land_pins(settings, crashing)
    land_pins(settings)
    expected = {7 * number: RECORDS[7 * number : 7 * number + 7] for number in range(5)}
    assert {int(key[-15:-5]): body.splitlines() for key, body in objects(settings).items()} == expected


def test_a_kill_at_every_object_and_a_rerun_give_the_same_objects(settings: Settings) -> None:
    produce(settings, "pin", [*RECORDS, b"no json", *RECORDS])
    program = (
        "from pin_pipeline.landing import chunks, landing\n"
        "from pin_pipeline.storage.object_store import *\n"
        "landing.log.info = lambda text, *values: (print(text % values), input())  # waits here to be killed\n"
        "landing.chunks = lambda records: chunks.chunks(records, max_records=7)\n"
        f"store = ObjectStore(boto3.client('s3', endpoint_url={settings.s3_endpoint_url!r}), {settings.bucket!r})\n"
        f"kafka = landing.KafkaConnection({settings.kafka.bootstrap!r})\n"
        f"landing.land(kafka, store, {settings.topic('pin')!r}); print('whole')"
    )
    kills = 0
    while True:
        command = [sys.executable, "-uc", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.kill()
        if line == "whole\n":
            break
        assert "records, up to offset" in line, line
        kills += 1
    assert kills == 11
    assert lines(settings) == RECORDS + RECORDS


def test_landings_at_once_do_no_harm(settings: Settings) -> None:
    produce(settings, "pin", RECORDS * 10)
    with ThreadPoolExecutor(4) as pool:
        landed = list(pool.map(lambda _: land_pins(settings), range(4)))
    assert lines(settings) == RECORDS * 10
    assert sum(each.records for each in landed) == 300
    assert [each.missing for each in landed] == [0] * 4


def test_progress_is_what_is_on_s3_not_what_the_group_committed(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    for key in objects(settings):
        store.client.delete_object(Bucket=settings.bucket, Key=key)
    assert land_pins(settings).records == 30
    assert lines(settings) == RECORDS


def test_listing_starts_at_the_last_landed_object(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    produce(settings, "pin", RECORDS[:1])
    starts: list[str] = []
    store.client.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: starts.append(params["StartAfter"])
    )
    assert land_pins(settings, store).records == 1
    topic = settings.topic("pin")
    assert f"topics/{topic}/partition=0/{topic}+0+0000000028" in starts


def test_a_topic_that_was_recreated_is_refused(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    emptied = replace(settings, prefix=f"{settings.prefix}2")
    store = ObjectStore.of(settings)
    for key, body in objects(settings).items():
        store.put_once(ObjectName.parse(key.replace(settings.prefix, emptied.prefix)), body)
    _create_topic(emptied)
    with pytest.raises(
        LandingError, match=r"up to offset 30, but the topic ends at 0: it was deleted and created again"
    ):
        land_pins(emptied)


def test_records_that_aged_out_unread_are_an_error_unless_told_to_go_on(settings: Settings) -> None:
    produce(settings, "pin", RECORDS[:10])
    land_pins(settings)
    produce(settings, "pin", RECORDS[10:])
    _delete_before(settings, 15)
    with pytest.raises(LandingError, match=r"5 records of .*/0 aged out before they were landed, offsets 10 to 15"):
        land_pins(settings)
    land_topic(settings.kafka, ObjectStore.of(settings), settings.topic("pin"), fail_on_data_loss=False)
    assert lines(settings) == RECORDS[:10] + RECORDS[15:]


def test_a_missing_topic_is_named(settings: Settings) -> None:
    with pytest.raises(LandingError, match=r"topic nowhere\.pin does not exist"):
        land_pins(replace(settings, prefix="nowhere"))


def test_a_missing_bucket_is_named_with_what_was_tried(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    with pytest.raises(
        StoreError, match=r"could not list s3://no-such-bucket/.* at http://127.0.0.1:\d+: .*NoSuchBucket"
    ):
        land_pins(replace(settings, bucket="no-such-bucket"))


def test_a_broker_that_is_away_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_reader, "BOOTSTRAP_MILLISECONDS", 500)
    with pytest.raises(LandingError, match=r"from the Kafka broker at 127\.0\.0\.1:1: .*pin-pipeline up"):
        land_pins(replace(settings, kafka=KafkaConnection("127.0.0.1:1")))


def _create_topic(settings: Settings) -> None:
    admin: Any = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        admin.create_topics({settings.topic("pin"): {"num_partitions": 3, "replication_factor": 1}})
    finally:
        admin.close()


def _delete_before(settings: Settings, offset: int) -> None:
    admin: Any = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        admin.delete_records({TopicPartition(settings.topic("pin"), 0): offset})
    finally:
        admin.close()


def fill_gaps(settings: Settings) -> LandingResult:
    return land_topic(settings.kafka, ObjectStore.of(settings), settings.topic("pin"), fill_gaps=True)


def test_objects_that_were_lost_or_cut_are_landed_again_where_gaps_are_to_be_filled(
    settings: Settings, store: ObjectStore
) -> None:
    produce(settings, "pin", [*RECORDS[:10], b"no json", *RECORDS[10:]])
    land_pins(settings)
    before = objects(settings)
    assert (fill_gaps(settings).records, objects(settings)) == (0, before)
    topic = settings.topic("pin")
    lost = [ObjectName("topics", topic, 0, 0), ObjectName("quarantine", topic, 0, 10)]
    cut = ObjectName("topics", topic, 0, 11)
    for name in lost:
        store.client.delete_object(Bucket=store.bucket, Key=name.key)
    first_line, _ = before[cut.key].split(b"\n", 1)
    store.client.put_object(Bucket=store.bucket, Key=cut.key, Body=first_line + b"\n")
    landed = fill_gaps(settings)
    assert (landed.records, landed.set_aside, landed.missing) == (7 + 1 + 6, 1, 0)
    after = objects(settings)
    assert {name.key: after[name.key] for name in lost} == {name.key: before[name.key] for name in lost}
    assert b"".join(after.values()) == b"".join(before.values())
    assert (fill_gaps(settings).records, land_pins(settings).records) == (0, 0)


def test_what_the_topic_no_longer_has_or_never_had_is_no_gap_to_fill(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS[:3])
    produce_in_transaction(settings, "pin", [b"aborted"], commit=False)
    produce(settings, "pin", RECORDS[3:6])
    land_pins(settings)
    before = objects(settings)
    assert (fill_gaps(settings).records, objects(settings)) == (0, before)
    store.client.delete_object(Bucket=store.bucket, Key=min(before))
    _delete_before(settings, 3)
    assert fill_gaps(settings).records == 0
