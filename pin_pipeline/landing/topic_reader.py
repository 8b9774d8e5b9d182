"""Topic reader: the committed records of a topic, partition by partition."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pin_pipeline.errors import PipelineError
from pin_pipeline.kafka.connection import BOOTSTRAP_TIMEOUT_MS, KafkaConnection
from pin_pipeline.storage.object_format import TopicRecord

POLL_TIMEOUT_MS = 1000
STALL_SECONDS = 60
"""Time without a record after which reading fails."""

log = logging.getLogger(__name__)


class LandingError(PipelineError):
    """Raised when a topic cannot be landed."""


@contextmanager
def open_topic(
    connection: KafkaConnection, topic: str, group: str
) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
    """Open a consumer that commits only on request, and list the partitions of a topic.

    Raises:
        LandingError: the broker cannot be reached, or the topic does not exist.
        AwsError: AWS does not return the brokers or the credentials of the cluster.
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
            bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
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
            f"could not read topic {topic} from the Kafka broker at {connection.address}: {error!r}; "
            "check that it is up (`pin-pipeline status`, `pin-pipeline up`)"
        ) from error


def check_retention(partition: TopicPartition, position: int, begin: int, fail_on_data_loss: bool) -> None:
    """Report records that the topic deleted before they were landed.

    Args:
        position: first offset that is not landed.
        begin: first offset that the topic still has.
        fail_on_data_loss: whether to raise an error instead of logging a warning.

    Raises:
        LandingError: records are lost and `fail_on_data_loss` is true.
    """
    if not 0 < position < begin:
        return
    source = f"{partition.topic}/{partition.partition}"
    loss = f"{begin - position} records of {source} aged out before they were landed, offsets {position} to {begin}"
    if fail_on_data_loss:
        raise LandingError(f"{loss}; raise the topic's retention, and set fail_on_data_loss to false to continue")
    log.warning("%s; continuing after them", loss)


def read_records(consumer: KafkaConsumer, partition: TopicPartition, position: int, end: int) -> Iterator[TopicRecord]:
    """Yield the records of the offsets [position, end). The client skips aborted records and transaction markers.

    Raises:
        LandingError: the broker returned nothing for `STALL_SECONDS`.
    """
    consumer.assign([partition])
    consumer.seek(partition, position)
    deadline = time.monotonic() + STALL_SECONDS
    while (reached := consumer.position(partition)) < end:
        for message in consumer.poll(timeout_ms=POLL_TIMEOUT_MS).get(partition, ()):
            if message.offset >= end:
                return
            yield TopicRecord(message.offset, message.timestamp, message.value)
        if consumer.position(partition) > reached:
            deadline = time.monotonic() + STALL_SECONDS
        elif time.monotonic() > deadline:
            raise LandingError(
                f"{partition.topic}/{partition.partition} returned nothing for {STALL_SECONDS} s at offset {reached} "
                f"of {end}; check that the Kafka broker is up (`pin-pipeline status`)"
            )
