"""Synthetic records, on topics and as objects of one record each."""

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

UPLOADS_AT_ONCE = 8


class Record(NamedTuple):
    """A record, and where it stands on its topic."""

    partition: int
    offset: int
    value: bytes


def synthetic_values(record_type: str, count: int) -> Iterator[bytes]:
    """The synthetic rows of a kind as JSON, over and over, but each with a key of its own."""
    for key, row in enumerate(islice(cycle(synthetic.rows(record_type)), count)):
        yield orjson.dumps(
            row | {RECORD_TYPES[record_type].key: key}, option=orjson.OPT_PASSTHROUGH_DATETIME, default=str
        )


def produce(settings: Settings, record_type: str, values: Iterable[bytes]) -> list[Record]:
    """Put values on a kind's topic, on one partition after the other."""
    topic = settings.topic(record_type)
    producer = KafkaProducer(**settings.kafka.kafka_python())
    try:
        sent = [
            (value, producer.send(topic, value, partition=number % PARTITIONS)) for number, value in enumerate(values)
        ]
        producer.flush()
        return [Record(answer.get().partition, answer.get().offset, value) for value, answer in sent]
    finally:
        producer.close()


def put_one_by_one(store: ObjectStore, topic: str, records: Sequence[Record]) -> None:
    """Put records on S3 where landing would, but in an object each."""

    def put(record: Record) -> bool:
        return store.put_once(ObjectName("topics", topic, record.partition, record.offset), record.value + b"\n")

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        if not all(pool.map(put, records)):
            raise FileExistsError(f"there are objects of topic {topic} in bucket {store.bucket} already")
