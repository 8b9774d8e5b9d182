"""Reading with a consumer: its position, and so what it commits, moves only past records that a response contains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import MemberState

from pin_pipeline.errors import PipelineError

T = TypeVar("T")

JOIN_SECONDS = 15.0
"""Time to join the group, in addition to that to wait for records: the first read after subscribing returns some."""
POLL_SECONDS = 0.1


class UnreadableRecordError(PipelineError):
    """Raised by a conversion for a record that the response cannot contain."""


def read_records(
    consumer: KafkaConsumer, convert: Callable[[ConsumerRecord], T], timeout_seconds: float, max_bytes: int
) -> list[T]:
    """Read the next records.

    Records beyond `max_bytes`, and those from an unreadable record on, are read again next time.

    Args:
        consumer: a consumer with a subscription or an assignment.
        convert: returns what the response contains of a record, or raises UnreadableRecordError.
        timeout_seconds: time to wait for the first record, once the consumer has joined its group.
        max_bytes: size of all keys and values; at least one record is returned.

    Returns:
        The records, as soon as there are any; none after the timeout.

    Raises:
        UnreadableRecordError: the next record of a partition is unreadable, and no other partition has records.
    """
    started = time.monotonic()
    while True:
        joining = bool(consumer.subscription()) and consumer.group_metadata().state != MemberState.STABLE
        remaining = started + timeout_seconds + (JOIN_SECONDS if joining else 0) - time.monotonic()
        polled = consumer.poll(timeout_ms=int(max(0.0, min(remaining, POLL_SECONDS)) * 1000))
        if polled or remaining <= 0:
            return _take(consumer, polled, convert, max_bytes)


def rewind(consumer: KafkaConsumer, records: Mapping[TopicPartition, int]) -> None:
    """Read these partitions again from these offsets, if they are still assigned."""
    assignment = consumer.assignment()
    for partition, offset in records.items():
        if partition in assignment:
            consumer.seek(partition, offset)


def _take(
    consumer: KafkaConsumer,
    polled: Mapping[TopicPartition, Sequence[ConsumerRecord]],
    convert: Callable[[ConsumerRecord], T],
    max_bytes: int,
) -> list[T]:
    """Convert records up to the size, and seek each partition back to the first record not taken."""
    taken: list[T] = []
    unreadable: UnreadableRecordError | None = None
    size = 0
    for partition, records in polled.items():
        for record in records:
            size += len(record.key or b"") + len(record.value or b"")
            if taken and size > max_bytes:
                rewind(consumer, {partition: record.offset})
                break
            try:
                taken.append(convert(record))
            except UnreadableRecordError as error:
                unreadable = unreadable or error
                rewind(consumer, {partition: record.offset})
                break
    if unreadable is not None and not taken:
        raise unreadable
    return taken
