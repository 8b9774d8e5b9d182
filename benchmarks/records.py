"""Synthetic records, written to topics and as objects of one record each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import NamedTuple

import orjson
from kafka import KafkaProducer

from pin_pipeline.emulator import synthetic
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

CONCURRENT_UPLOADS = 8


class Record(NamedTuple):
    """A record and its position on the topic."""

    partition: int
    offset: int
    value: bytes


def synthetic_values(record_type: str, count: int) -> Iterator[bytes]:
    """Yield the synthetic rows of a record type as JSON, repeatedly, each with a unique key."""
    for key, row in enumerate(islice(cycle(synthetic.rows(record_type)), count)):
        yield orjson.dumps(
            row | {RECORD_TYPES[record_type].key: key}, option=orjson.OPT_PASSTHROUGH_DATETIME, default=str
        )


def produce(settings: Settings, record_type: str, values: Iterable[bytes]) -> list[Record]:
    """Write values to the topic of a record type, round-robin over its partitions."""
    topic = settings.topic(record_type)
    producer = KafkaProducer(**settings.kafka.kafka_python())
    try:
        sent = [
            (value, producer.send(topic, value, partition=number % PARTITIONS)) for number, value in enumerate(values)
        ]
        producer.flush()
        return [Record(future.get().partition, future.get().offset, value) for value, future in sent]
    finally:
        producer.close()


def put_one_by_one(store: ObjectStore, topic: str, records: Sequence[Record]) -> None:
    """Write records to S3 under the keys that landing uses, but one object per record."""

    def put(record: Record) -> bool:
        return store.put_once(ObjectName("topics", topic, record.partition, record.offset), record.value + b"\n")

    with ThreadPoolExecutor(CONCURRENT_UPLOADS) as pool:
        if not all(pool.map(put, records)):
            raise FileExistsError(f"bucket {store.bucket} already has objects of topic {topic}")
