"""A topic as landing reads it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pin_pipeline.kafka.connection import BOOTSTRAP_MILLISECONDS, KafkaConnection
from pin_pipeline.storage.object_format import TopicRecord

POLL_MILLISECONDS = 1000
STALL_SECONDS = 60

log = logging.getLogger(__name__)


class LandingError(Exception):
    """A topic cannot be landed; says what was expected, what was found and what to do."""


@contextmanager
def reading(
    connection: KafkaConnection, topic: str, group: str
) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
    """A consumer that commits nothing by itself, and the partitions of a topic.

    Raises:
        LandingError: the broker is away, or the topic is missing.
        AwsError: AWS does not tell how the cluster is reached.
    """
    try:
        consumer = KafkaConsumer(
            **connection.kafka_python(),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            max_poll_records=10_000,
            max_partition_fetch_bytes=8 * 2**20,
            bootstrap_timeout_ms=BOOTSTRAP_MILLISECONDS,
        )
        try:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise LandingError(f"topic {topic} does not exist; `pin-pipeline up` creates the topics of PIN_PREFIX")
            yield consumer, [TopicPartition(topic, number) for number in sorted(numbers)]
        finally:
            consumer.close()
    except KafkaError as error:
        raise LandingError(
            f"could not read topic {topic} from the Kafka broker at {connection.place}: {error!r}; "
            "check that it is up (`pin-pipeline status`, `pin-pipeline up`)"
        ) from error


def check_retained(partition: TopicPartition, position: int, begin: int, fail_on_data_loss: bool) -> None:
    """Tell of records that aged out of a topic, which begins at `begin`, before they were landed from `position` on.

    Raises:
        LandingError: there are some, and that is to fail; else the log has it.
    """
    if not 0 < position < begin:
        return
    where = f"{partition.topic}/{partition.partition}"
    loss = f"{begin - position} records of {where} aged out before they were landed, offsets {position} to {begin}"
    if fail_on_data_loss:
        raise LandingError(f"{loss}; raise the topic's retention, and set fail_on_data_loss to false to go on")
    log.warning("%s; going on behind them", loss)


def records(consumer: KafkaConsumer, partition: TopicPartition, position: int, end: int) -> Iterator[TopicRecord]:
    """The records of [position, end). What a transaction aborted, and its markers, are passed over by the client.

    Raises:
        LandingError: the broker gave nothing for `STALL_SECONDS`.
    """
    consumer.assign([partition])
    consumer.seek(partition, position)
    patience = time.monotonic() + STALL_SECONDS
    while (reached := consumer.position(partition)) < end:
        for message in consumer.poll(timeout_ms=POLL_MILLISECONDS).get(partition, ()):
            if message.offset >= end:
                return
            yield TopicRecord(message.offset, message.timestamp, message.value)
        if consumer.position(partition) > reached:
            patience = time.monotonic() + STALL_SECONDS
        elif time.monotonic() > patience:
            raise LandingError(
                f"{partition.topic}/{partition.partition} gave nothing for {STALL_SECONDS} s at offset {reached} of "
                f"{end}; check that the Kafka broker is up (`pin-pipeline status`)"
            )
