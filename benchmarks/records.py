"""Synthetic records, written to topics and as objects of one record each."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import NamedTuple

import orjson
from kafka import KafkaProducer

from benchmarks.plain_spark import SENTINELS
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_format import TopicRecord, chunk_records
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

CONCURRENT_UPLOADS = 8
LANDED_AT_ONCE = 60_000 * PARTITIONS
INVALID: dict[str, SourceRow] = {"pin": {"follower_count": "many"}, "geo": {"latitude": 91.5}, "user": {"age": 151}}
"""Values that the rules reject, by record type."""


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


def draws_with_rejects(record_type: str, count: int, rejected_share: float, first_key: int = 0) -> Iterator[bytes]:
    """Yield synthetic records with unique keys and texts, an even share of which has an invalid value.

    The source rows repeat after 11,154 records. Repeated texts would make the files of a table a tenth of their size.

    Args:
        record_type: name of their type.
        count: number of records, with and without an invalid value.
        rejected_share: share of the records that the rules reject.
        first_key: key of the first record.
    """
    key, every = RECORD_TYPES[record_type].key, round(1 / rejected_share) if rejected_share else count + 1
    for number, row in enumerate(islice(cycle([*synthetic.rows(record_type)]), count)):
        record: SourceRow = {**row, key: first_key + number}
        if record_type == PIN.name:
            record |= _unique_texts(row, first_key + number)
        if number % every == every - 1:
            record |= INVALID[record_type]
        yield orjson.dumps(record, option=orjson.OPT_PASSTHROUGH_DATETIME, default=str)


def _unique_texts(pin: SourceRow, key: int) -> SourceRow:
    """Return the texts of a pin, each with a part that depends on the key; sentinels stay as they are."""
    digest = hashlib.md5(str(key).encode(), usedforsecurity=False).hexdigest()
    unique: SourceRow = {"unique_id": str(uuid.UUID(digest))}
    for name in ("title", "description", "image_src"):
        text = str(pin[name])
        if text not in SENTINELS:
            unique[name] = f"{text[: -len(digest)]}{digest}" if len(text) > len(digest) else f"{text} {digest[:8]}"
    return unique


def land(store: ObjectStore, topic: str, values: Iterable[bytes], first_offset: int = 0) -> None:
    """Write values as landing does, round-robin over the partitions of the topic."""
    remaining = iter(values)
    while block := list(islice(remaining, LANDED_AT_ONCE)):
        for partition in range(PARTITIONS):
            lines = block[partition::PARTITIONS]
            records = [TopicRecord(offset, 0, value) for offset, value in enumerate(lines, first_offset)]
            for chunk in chunk_records(records):
                store.put_once(ObjectName(chunk.area, topic, partition, chunk.first_offset), chunk.body)
        first_offset += len(block) // PARTITIONS


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
