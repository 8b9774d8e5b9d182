"""Benchmark of landing, compared with writing one object per record and with only reading the topic."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from statistics import median

from kafka import KafkaConsumer, TopicPartition

from benchmarks.local_services import isolated, local_services
from benchmarks.records import Record, produce, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

RECORDS = 50_000
PEER_RECORDS = 3_000
ROUNDS = 3
RECORD_TYPE = "pin"


def main() -> None:
    """Measure each in turn, each time into empty buckets."""
    landing, discarding, writing = [], [], []
    with local_services() as settings:
        topic = settings.topic(RECORD_TYPE)
        log_progress(f"producing {RECORDS} records")
        sent = set(produce(settings, RECORD_TYPE, synthetic_values(RECORD_TYPE, RECORDS)))
        require_equal("records sent and consumed", set(_consume(settings)), sent)
        for number in range(ROUNDS):
            log_progress(f"round {number + 1} of {ROUNDS}")
            store, peer_store = (_bucket(settings, f"{name}-{number}") for name in ("landing", "peer"))
            landing.append(measure_seconds(land_topic, settings.kafka, store, topic))
            discarding.append(measure_seconds(_discard, settings))
            writing.append(measure_seconds(_write_one_by_one, settings, peer_store))
            require_equal("records sent and landed", _landed(store, topic), sent)
            written = _written(peer_store)
            require_equal("number of records that the peer wrote", len(written), PEER_RECORDS)
            require_equal("records that the peer wrote and that landed", written & sent, written)
    rate, peer_rate = RECORDS / median(landing), PEER_RECORDS / median(writing)
    print_report(
        Measurement("landing", rate, "records/s"),
        Measurement("peer: consume, write one object per record", peer_rate, "records/s"),
        Measurement("landing / peer", rate / peer_rate, "x", at_least=3),
        Measurement(f"landing, {RECORDS:,} records", median(landing), "s"),
        Measurement("peer: consume and discard the same", median(discarding), "s"),
        Measurement("landing / peer", median(landing) / median(discarding), "x", at_most=2),
    )


def _bucket(settings: Settings, name: str) -> ObjectStore:
    return ObjectStore.of(isolated(settings, name))


def _consume(settings: Settings) -> Iterator[Record]:
    """Yield the records of the topic, read by a consumer with the settings that landing uses."""
    consumer = KafkaConsumer(
        **settings.kafka.kafka_python(),
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=10_000,
        max_partition_fetch_bytes=8 * 2**20,
    )
    try:
        partitions = [TopicPartition(settings.topic(RECORD_TYPE), number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for messages in consumer.poll(timeout_ms=1000).values():
                for message in messages:
                    yield Record(message.partition, message.offset, message.value)
    finally:
        consumer.close()


def _discard(settings: Settings) -> None:
    for _ in _consume(settings):
        pass


def _write_one_by_one(settings: Settings, store: ObjectStore) -> None:
    for record in islice(_consume(settings), PEER_RECORDS):
        key = f"{record.partition}/{record.offset}"
        store.client.put_object(Bucket=store.bucket, Key=key, Body=record.value)


def _written(store: ObjectStore) -> set[Record]:
    found = set()
    for page in store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket):
        for key in (entry["Key"] for entry in page["Contents"]):
            partition, offset = map(int, key.split("/"))
            body = store.client.get_object(Bucket=store.bucket, Key=key)["Body"].read()
            found.add(Record(partition, offset, body))
    return found


def _landed(store: ObjectStore, topic: str) -> set[Record]:
    found = set()
    for partition in range(PARTITIONS):
        for name in store.list_from(ObjectName("topics", topic, partition, 0)):
            lines = store.read(name).removesuffix(b"\n").split(b"\n")
            found |= {Record(partition, offset, line) for offset, line in enumerate(lines, name.offset)}
    return found


if __name__ == "__main__":
    main()
