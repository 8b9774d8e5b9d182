"""Lander: copy a topic to S3 up to the end offsets read at the start, each record exactly once, across crashes.

The objects on S3 are the progress. The offset that the consumer group has committed only tells where to start listing,
so that the listing does not grow with the history; it is trusted only if it was committed for this bucket, and the
object named in its metadata exists.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.topic_reader import LandingError, check_retention, open_topic, read_records
from pin_pipeline.storage.object_format import ObjectChunk, chunk_records
from pin_pipeline.storage.object_keys import AREAS, ENCODED, LEGACY_ENCODED, ObjectName
from pin_pipeline.storage.object_store import ObjectStore

GROUP = "pin-pipeline-landing"

log = logging.getLogger(__name__)


@dataclass
class LandingResult:
    """Result of one landing.

    Attributes:
        records: number of records landed by this call; `objects` and `bytes` likewise.
        encoded: number of these that are not a line of JSON.
        next_offsets: first offset that is not on S3, by partition.
        end_offsets: end offset at the start, by partition.
        foreign: keys in the topic's folder that are not those of landed objects.
    """

    records: int = 0
    encoded: int = 0
    objects: int = 0
    bytes: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)
    end_offsets: dict[int, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Number of offsets below the end offsets that are not on S3: 0 after a successful landing."""
        return sum(max(0, end - self.next_offsets[partition]) for partition, end in self.end_offsets.items())

    def add_object(self, records: int, size: int) -> None:
        """Count an object of this number of records and bytes."""
        self.objects += 1
        self.records += records
        self.bytes += size

    def add_chunk(self, chunk: ObjectChunk) -> None:
        """Count a written object."""
        self.add_object(len(chunk.lines), len(chunk.body))
        self.encoded += len(chunk.lines) if chunk.area != "topics" else 0


def land_topic(
    connection: KafkaConnection,
    store: ObjectStore,
    topic: str,
    *,
    fail_on_data_loss: bool = True,
    fill_gaps: bool = False,
) -> LandingResult:
    """Land every partition of a topic up to its current end offset.

    Args:
        fail_on_data_loss: whether records that the topic deleted before they were landed are an error. If false,
            landing logs a warning and continues after them.
        fill_gaps: read all landed objects, and land the offsets missing between them again if the topic still has
            them. This restores objects that were lost or deleted.

    Raises:
        LandingError: the broker cannot be reached, the topic is missing or was recreated, or records were deleted
            before they were landed.
        StoreError: S3 refuses a request.
        AwsError: AWS does not return the brokers or the credentials of the cluster.
    """
    with open_topic(connection, topic, GROUP) as (consumer, partitions):
        landed = _land_partitions(consumer, store, partitions, fail_on_data_loss, fill_gaps)
    landed.foreign = store.find_foreign(topic)
    return landed


def _land_partitions(
    consumer: KafkaConsumer,
    store: ObjectStore,
    partitions: Sequence[TopicPartition],
    fail_on_data_loss: bool,
    fill_gaps: bool,
) -> LandingResult:
    begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    landed = LandingResult(end_offsets={partition.partition: ends[partition] for partition in partitions})
    for partition in partitions:
        begin, end = begins[partition], ends[partition]
        position = _start_offset(
            _landed_offset(consumer, store, partition, end), begin, end, partition, fail_on_data_loss
        )
        for first, last in _gaps(store, partition, begin) if fill_gaps else ():
            _fill_gap(consumer, store, partition, first, last, landed)
        while position < end:
            position = _land_from(consumer, store, partition, position, end, landed)
        landed.next_offsets[partition.partition] = position
    return landed


def _start_offset(position: int, begin: int, end: int, partition: TopicPartition, fail_on_data_loss: bool) -> int:
    """Return the offset to land from, in a topic of offsets [begin, end) of which all before `position` are on S3."""
    if position > end:
        raise LandingError(
            f"S3 holds {partition.topic}/{partition.partition} up to offset {position}, but the topic ends at {end}: "
            "it was deleted and created again; land it under another PIN_PREFIX or into another PIN_BUCKET"
        )
    check_retention(partition, position, begin, fail_on_data_loss)
    return max(position, begin)


def _landed_offset(consumer: KafkaConsumer, store: ObjectStore, partition: TopicPartition, end: int) -> int:
    """Return the first offset that is not on S3. Lists nothing if the topic has no records since the last landing."""
    committed = consumer.committed(partition, metadata=True)
    if committed is not None and committed.metadata and committed.metadata.startswith(store.url):
        hint = ObjectName.parse(committed.metadata.removeprefix(store.url))
        if committed.offset == end and store.exists(hint):
            return end
        names = _last_names(store, partition, hint.offset)
        if any(name >= hint for name in names if name.area == hint.area):
            return max(int(committed.offset), *(_end_offset(store, name) for name in names))
    return max((_end_offset(store, name) for name in _last_names(store, partition, 0)), default=0)


def _last_names(store: ObjectStore, partition: TopicPartition, offset: int) -> list[ObjectName]:
    """Return the last object of each area among those that start at or after `offset`."""
    firsts = (ObjectName(area, partition.topic, partition.partition, offset) for area in AREAS)
    lasts = [max(store.list_from(first), default=None) for first in firsts]
    return [name for name in lasts if name is not None]


def _end_offset(store: ObjectStore, name: ObjectName) -> int:
    """Return the offset after an object's last record."""
    return name.offset + store.read(name).count(b"\n")


def _gaps(store: ObjectStore, partition: TopicPartition, begin: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of offsets from `begin` on that no object has, although a later object exists."""
    firsts = (ObjectName(area, partition.topic, partition.partition, 0) for area in AREAS)
    position = begin
    for name in heapq.merge(*map(store.list_from, firsts), key=lambda name: name.offset):
        if name.offset > position:
            yield position, name.offset
        position = max(position, _end_offset(store, name))


def _fill_gap(
    consumer: KafkaConsumer, store: ObjectStore, partition: TopicPartition, first: int, end: int, landed: LandingResult
) -> None:
    for chunk in chunk_records(read_records(consumer, partition, first, end)):
        name = _name(partition, chunk)
        if store.put_once(name, chunk.body):
            landed.add_chunk(chunk)
            log.info("%s: %d records, landed again", name.key, len(chunk.lines))


def _land_from(
    consumer: KafkaConsumer,
    store: ObjectStore,
    partition: TopicPartition,
    position: int,
    end: int,
    landed: LandingResult,
) -> int:
    """Write objects from `position` on.

    Returns:
        The offset to continue from: `end`, or the end of an object that a concurrent landing wrote first.
    """
    name = None
    for chunk in chunk_records(read_records(consumer, partition, position, end)):
        name = _name(partition, chunk)
        existing = _legacy_name(store, name) or (None if store.put_once(name, chunk.body) else name)
        if existing is not None:
            log.info("%s already exists, continuing after it", existing.key)
            return _end_offset(store, existing)
        landed.add_chunk(chunk)
        _commit(consumer, store, partition, chunk.next_offset, name)
        log.info("%s: %d records, up to offset %d of %d", name.key, len(chunk.lines), chunk.next_offset, end)
    if name is not None:  # transaction markers after the last record belong to no object: do not read them again
        _commit(consumer, store, partition, end, name)
    return end


def _name(partition: TopicPartition, chunk: ObjectChunk) -> ObjectName:
    return ObjectName(chunk.area, partition.topic, partition.partition, chunk.first_offset)


def _legacy_name(store: ObjectStore, name: ObjectName) -> ObjectName | None:
    """Return the name under which a landing of an earlier release, still running, has just written these records."""
    if name.area != ENCODED:
        return None
    legacy = replace(name, area=LEGACY_ENCODED)
    return legacy if store.exists(legacy) else None


def _commit(
    consumer: KafkaConsumer, store: ObjectStore, partition: TopicPartition, offset: int, name: ObjectName
) -> None:
    consumer.commit({partition: OffsetAndMetadata(offset, f"{store.url}{name.key}", -1)})
