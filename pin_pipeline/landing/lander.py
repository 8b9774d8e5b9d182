"""Land a topic: everything up to the end offsets read at the start, each record once, whatever is killed when.

Progress is what is on S3. The consumer group's committed offset only says where to start looking, so that the listing
does not grow with the history; it is believed only when the object that it names is there.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.topic_reader import LandingError, check_retained, reading, records
from pin_pipeline.storage.object_format import Chunk, chunks
from pin_pipeline.storage.object_keys import AREAS, ObjectName
from pin_pipeline.storage.object_store import ObjectStore

GROUP = "pin-pipeline-landing"

log = logging.getLogger(__name__)


@dataclass
class LandingResult:
    """What one landing did: counts of this call, and how far each partition has come."""

    records: int = 0
    set_aside: int = 0
    objects: int = 0
    bytes: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)
    end_offsets: dict[int, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Offsets below the end offsets read at the start that are not on S3: 0 after every landing."""
        return sum(max(0, end - self.next_offsets[partition]) for partition, end in self.end_offsets.items())

    def add_object(self, records: int, size: int) -> None:
        """Count an object of so many records and bytes."""
        self.objects += 1
        self.records += records
        self.bytes += size

    def add(self, chunk: Chunk) -> None:
        """Count an object that was written."""
        self.add_object(len(chunk.lines), len(chunk.body))
        self.set_aside += len(chunk.lines) if chunk.area == "quarantine" else 0


def land_topic(
    connection: KafkaConnection,
    store: ObjectStore,
    topic: str,
    *,
    fail_on_data_loss: bool = True,
    fill_gaps: bool = False,
) -> LandingResult:
    """Land every partition of a topic up to its end offset of now.

    Records that aged out of the topic unread are an error, unless `fail_on_data_loss` is false: then landing goes on
    behind them and says so in the log. With `fill_gaps`, all landed objects are read, and what is missing between
    them is landed again as far as the topic still has it: the way to restore objects that were lost or removed.

    Raises:
        LandingError: the broker is away, the topic is missing or was recreated, or records aged out unread.
        StoreError: S3 refused.
        AwsError: AWS does not tell how the cluster is reached.
    """
    with reading(connection, topic, GROUP) as (consumer, partitions):
        return _land_all(consumer, store, partitions, fail_on_data_loss, fill_gaps)


def _land_all(
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
        position = _start(_position(consumer, store, partition, end), begin, end, partition, fail_on_data_loss)
        for first, last in _gaps(store, partition, begin) if fill_gaps else ():
            _fill(consumer, store, partition, first, last, landed)
        while position < end:
            position = _land_from(consumer, store, partition, position, end, landed)
        landed.next_offsets[partition.partition] = position
    return landed


def _start(position: int, begin: int, end: int, partition: TopicPartition, fail_on_data_loss: bool) -> int:
    """Where to go on in a topic that holds [begin, end) when all before `position` is on S3."""
    if position > end:
        raise LandingError(
            f"S3 holds {partition.topic}/{partition.partition} up to offset {position}, but the topic ends at {end}: "
            "it was deleted and created again; land it under another PIN_PREFIX or into another PIN_BUCKET"
        )
    check_retained(partition, position, begin, fail_on_data_loss)
    return max(position, begin)


def _position(consumer: KafkaConsumer, store: ObjectStore, partition: TopicPartition, end: int) -> int:
    """The first offset that is not on S3; nothing is listed where nothing came since the last landing."""
    committed = consumer.committed(partition, metadata=True)
    if committed is not None and committed.metadata:
        hint = ObjectName.parse(committed.metadata)
        if committed.offset == end and store.has(hint):
            return end
        names = _last_names(store, partition, hint.offset)
        if any(name >= hint for name in names if name.area == hint.area):
            return max(int(committed.offset), *(_end(store, name) for name in names))
    return max((_end(store, name) for name in _last_names(store, partition, 0)), default=0)


def _last_names(store: ObjectStore, partition: TopicPartition, offset: int) -> list[ObjectName]:
    """The last object of each area among those that start at or after `offset`."""
    firsts = (ObjectName(area, partition.topic, partition.partition, offset) for area in AREAS)
    lasts = [max(store.names_from(first), default=None) for first in firsts]
    return [name for name in lasts if name is not None]


def _end(store: ObjectStore, name: ObjectName) -> int:
    """The offset after an object's last record."""
    return name.offset + store.read(name).count(b"\n")


def _gaps(store: ObjectStore, partition: TopicPartition, begin: int) -> Iterator[tuple[int, int]]:
    """The ranges of offsets from `begin` on that no object has, though a later one is there."""
    firsts = (ObjectName(area, partition.topic, partition.partition, 0) for area in AREAS)
    position = begin
    for name in heapq.merge(*map(store.names_from, firsts), key=lambda name: name.offset):
        if name.offset > position:
            yield position, name.offset
        position = max(position, _end(store, name))


def _fill(
    consumer: KafkaConsumer, store: ObjectStore, partition: TopicPartition, first: int, end: int, landed: LandingResult
) -> None:
    for chunk in chunks(records(consumer, partition, first, end)):
        name = ObjectName(chunk.area, partition.topic, partition.partition, chunk.first_offset)
        if store.put_once(name, chunk.body):
            landed.add(chunk)
            log.info("%s: %d records, landed again", name.key, len(chunk.lines))


def _land_from(
    consumer: KafkaConsumer,
    store: ObjectStore,
    partition: TopicPartition,
    position: int,
    end: int,
    landed: LandingResult,
) -> int:
    """Write objects from `position` on; returns where to go on when all is done or another landing was faster."""
    name = None
    for chunk in chunks(records(consumer, partition, position, end)):
        name = ObjectName(chunk.area, partition.topic, partition.partition, chunk.first_offset)
        if not store.put_once(name, chunk.body):
            log.info("%s is already there, going on behind it", name.key)
            return _end(store, name)
        landed.add(chunk)
        _commit(consumer, partition, chunk.next_offset, name)
        log.info("%s: %d records, up to offset %d of %d", name.key, len(chunk.lines), chunk.next_offset, end)
    if name is not None:  # markers behind the last record end no object, but need not be read again
        _commit(consumer, partition, end, name)
    return end


def _commit(consumer: KafkaConsumer, partition: TopicPartition, offset: int, name: ObjectName) -> None:
    consumer.commit({partition: OffsetAndMetadata(offset, name.key, -1)})
