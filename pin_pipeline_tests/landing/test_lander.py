"""Landing against a real broker and S3 endpoint: each record lands exactly once, also after crashes."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kafka import KafkaAdminClient

from pin_pipeline.batch.tasks import CleanTask, run_embedded
from pin_pipeline.landing import topic_reader
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.landing.topic_reader import LandingError
from pin_pipeline.local import s3
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import GEO
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore, StoreError
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction
from pin_pipeline_tests.landing.landing_helpers import RECORDS, delete_records_before, land_pins, lines, objects

pytestmark = pytest.mark.usefixtures("small_objects")


def test_lander_writes_every_record_once_byte_by_byte(settings: Settings) -> None:
    odd = ['{"a": "é😀 …"}'.encode(), b'{ "b" : 1.0e3 ,"b":2}', b'"text"', b"null"]
    produce(settings, "pin", [*RECORDS, *odd])
    landed = land_pins(settings)
    assert (landed.records, landed.objects, landed.missing) == (34, 5, 0)
    assert lines(settings) == [*RECORDS, *odd]


def test_lander_writes_nothing_without_new_records(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    before = objects(settings)
    again = land_pins(settings)
    assert (again.records, again.objects, again.missing) == (0, 0, 0)
    assert objects(settings) == before


def test_lander_writes_new_records_into_new_objects(settings: Settings) -> None:
    produce(settings, "pin", RECORDS[:10])
    land_pins(settings)
    produce(settings, "pin", RECORDS[10:])
    assert land_pins(settings).records == 20
    assert lines(settings) == RECORDS


def test_lander_lands_all_partitions(settings: Settings) -> None:
    for partition in range(3):
        produce(settings, "pin", RECORDS[partition * 10 : partition * 10 + 10], partition)
    assert land_pins(settings).next_offsets == {0: 10, 1: 10, 2: 10}
    assert sorted(lines(settings)) == sorted(RECORDS)


def test_lander_writes_records_that_are_not_json_to_encoded_area_with_offset(settings: Settings) -> None:
    produce(settings, "pin", [b"{}", b"hello", b"\xff\x00", None, b"", b"{}"])
    landed = land_pins(settings)
    assert (landed.records, landed.encoded) == (6, 4)
    (encoded,) = [body for key, body in objects(settings).items() if key.startswith("encoded/")]
    assert [json.loads(line)["offset"] for line in encoded.splitlines()] == [1, 2, 3, 4]


def test_lander_ends_object_at_transaction_marker_and_skips_aborted_records(settings: Settings) -> None:
    produce_in_transaction(settings, "pin", RECORDS[:3], commit=True)
    produce_in_transaction(settings, "pin", RECORDS[3:5], commit=False)
    produce(settings, "pin", RECORDS[5:8])
    landed = land_pins(settings)
    assert lines(settings) == RECORDS[:3] + RECORDS[5:8]
    assert [int(key[-15:-5]) for key in objects(settings)] == [0, 7]
    assert (landed.next_offsets[0], landed.missing) == (10, 0)
    assert land_pins(settings).records == 0


class Crash(BaseException):
    """End of the process; nothing catches it."""


@dataclass(frozen=True)
class CrashingStore(ObjectStore):
    """Raises Crash at the n-th write, before or after the object is written."""

    crash_at: int = 0
    written: bool = False

    def put_once(self, name: ObjectName, body: bytes) -> bool:
        if len(objects_of(self, name)) + 1 < self.crash_at:
            return super().put_once(name, body)
        if self.written:
            super().put_once(name, body)
        raise Crash


def objects_of(store: ObjectStore, name: ObjectName) -> list[ObjectName]:
    return list(store.list_from(replace(name, offset=0)))


@pytest.mark.parametrize("written", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("crash_at", [1, 3, 5])
def test_lander_writes_the_same_objects_after_a_crash_around_any_write(
    settings: Settings, store: ObjectStore, crash_at: int, written: bool
) -> None:
    produce(settings, "pin", RECORDS)
    crashing = CrashingStore(store.client, store.bucket, crash_at=crash_at, written=written)
    with pytest.raises(Crash):
        land_pins(settings, crashing)
    land_pins(settings)
    expected = {7 * number: RECORDS[7 * number : 7 * number + 7] for number in range(5)}
    assert {int(key[-15:-5]): body.splitlines() for key, body in objects(settings).items()} == expected


def test_lander_writes_the_same_objects_after_a_kill_at_every_object(settings: Settings) -> None:
    produce(settings, "pin", [*RECORDS, b"no json", *RECORDS])
    program = (
        "from pin_pipeline.aws import clients\n"
        "from pin_pipeline.kafka.connection import KafkaConnection\n"
        "from pin_pipeline.landing import lander\n"
        "from pin_pipeline.storage.object_format import chunk_records\n"
        "from pin_pipeline.storage.object_store import ObjectStore\n"
        "lander.log.info = lambda text, *values: (print(text % values), input())  # waits here to be killed\n"
        "lander.chunk_records = lambda records: chunk_records(records, max_records=7)\n"
        f"client = clients.client('s3', {settings.region!r}, {settings.s3_endpoint_url!r})\n"
        f"kafka, store = KafkaConnection({settings.kafka.bootstrap!r}), ObjectStore(client, {settings.bucket!r})\n"
        f"lander.land_topic(kafka, store, {settings.topic('pin')!r}); print('complete')"
    )
    kills = 0
    while True:
        command = [sys.executable, "-uc", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.kill()
        if line == "complete\n":
            break
        assert "records, up to offset" in line, line
        kills += 1
    assert kills == 11
    assert lines(settings) == RECORDS + RECORDS


def test_concurrent_landers_write_each_record_once(settings: Settings) -> None:
    produce(settings, "pin", RECORDS * 10)
    with ThreadPoolExecutor(4) as pool:
        landed = list(pool.map(lambda _: land_pins(settings), range(4)))
    assert lines(settings) == RECORDS * 10
    assert sum(result.records for result in landed) == 300
    assert [result.missing for result in landed] == [0] * 4


def test_lander_takes_progress_from_s3_instead_of_committed_offset(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    for key in objects(settings):
        store.client.delete_object(Bucket=settings.bucket, Key=key)
    assert land_pins(settings).records == 30
    assert lines(settings) == RECORDS


def test_each_bucket_gets_all_records_if_a_topic_is_landed_into_two(settings: Settings) -> None:
    other = settings.model_copy(update={"bucket": f"{settings.bucket}-other"})
    s3.create_bucket(other.s3_endpoint_url, other.bucket)
    for number, bucket in enumerate((settings, other, settings, other), start=1):
        produce(settings, "pin", RECORDS[number - 1 : number])
        land_pins(bucket)
        assert lines(bucket) == RECORDS[:number]


def test_lander_lists_from_the_last_landed_object(settings: Settings, store: ObjectStore) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    produce(settings, "pin", RECORDS[:1])
    starts: list[str] = []
    store.client.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: starts.append(params.get("StartAfter", ""))
    )
    assert land_pins(settings, store).records == 1
    topic = settings.topic("pin")
    assert f"topics/{topic}/partition=0/{topic}+0+0000000028" in starts


def test_lander_rejects_recreated_topic(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    land_pins(settings)
    recreated = settings.model_copy(update={"prefix": f"{settings.prefix}2"})
    store = ObjectStore.of(settings)
    for key, body in objects(settings).items():
        store.put_once(ObjectName.parse(key.replace(settings.prefix, recreated.prefix)), body)
    _create_topic(recreated)
    with pytest.raises(
        LandingError, match=r"up to offset 30, but the topic ends at 0: it was deleted and created again"
    ):
        land_pins(recreated)


def test_lander_fails_on_records_deleted_before_landing_unless_data_loss_is_accepted(settings: Settings) -> None:
    produce(settings, "pin", RECORDS[:10])
    land_pins(settings)
    produce(settings, "pin", RECORDS[10:])
    delete_records_before(settings, 15)
    with pytest.raises(LandingError, match=r"5 records of .*/0 aged out before they were landed, offsets 10 to 15"):
        land_pins(settings)
    land_topic(settings.kafka, ObjectStore.of(settings), settings.topic("pin"), fail_on_data_loss=False)
    assert lines(settings) == RECORDS[:10] + RECORDS[15:]


def test_landing_error_names_missing_topic(settings: Settings) -> None:
    with pytest.raises(LandingError, match=r"topic nowhere\.pin does not exist"):
        land_pins(settings.model_copy(update={"prefix": "nowhere"}))


def test_landing_error_names_missing_bucket_and_operation(settings: Settings) -> None:
    produce(settings, "pin", RECORDS)
    with pytest.raises(
        StoreError, match=r"could not list s3://no-such-bucket/.* at http://127.0.0.1:\d+: .*NoSuchBucket"
    ):
        land_pins(settings.model_copy(update={"bucket": "no-such-bucket"}))


def test_landing_error_names_unreachable_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_reader, "BOOTSTRAP_TIMEOUT_MS", 500)
    with pytest.raises(LandingError, match=r"from the Kafka broker at 127\.0\.0\.1:1: .*pin-pipeline up"):
        land_pins(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))


def _create_topic(settings: Settings) -> None:
    admin: Any = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        admin.create_topics({settings.topic("pin"): {"num_partitions": 3, "replication_factor": 1}})
    finally:
        admin.close()


FOREIGN_NAMES = (
    "readme.txt",
    "partition=__HIVE_DEFAULT_PARTITION__/part-0.parquet",
    "partition=0/readme.txt",
    "partition=0/{topic}+0+0000000000.json.gz",
    "partition=0/{topic}+0+0000000007.json.gz",
    "partition=0/other+0+0000000000.json",
    "partition=1/{topic}+2+0000000000.json",
    "partition=x1/{topic}+0+0000000000.json",
)


REPORTED_NAMES = (
    "readme.txt",
    "partition=__HIVE_DEFAULT_PARTITION__/",
    "partition=0/readme.txt",
    "partition=0/{topic}+0+0000000000.json.gz",
    "partition=0/{topic}+0+0000000007.json.gz",
    "partition=0/other+",
    "partition=1/{topic}+2+0000000000.json",
    "partition=x1/",
)


@pytest.mark.parametrize("area", ["topics", "encoded"])
def test_foreign_objects_are_reported_and_keep_nothing_from_being_landed_cleaned_and_reconciled(
    settings: Settings, store: ObjectStore, area: str
) -> None:
    topic = settings.topic("geo")
    keys = [f"{area}/{topic}/{name.format(topic=topic)}" for name in FOREIGN_NAMES]
    for key in keys:
        store.client.put_object(Bucket=store.bucket, Key=key, Body=b"foreign")
    produce(settings, "geo", [geo(number) for number in range(9)])
    landed = land_topic(settings.kafka, store, topic)
    assert (landed.records, landed.missing) == (9, 0)
    # Of an unknown folder, or of names that begin with those of another topic, only the first part is named.
    assert set(landed.foreign) == {f"{area}/{topic}/{name.format(topic=topic)}" for name in REPORTED_NAMES}
    lake = Lake.of(settings)
    list(run_embedded(CleanTask({topic: "geo"}), lake, store))
    produce(settings, "geo", [geo(9)])
    assert land_topic(settings.kafka, store, topic).records == 1
    findings = reconcile_topic(GEO, topic, settings.kafka, lake, store)
    assert (findings.total("published"), findings.total("waiting"), findings.discrepancies) == (9, 1, [])
