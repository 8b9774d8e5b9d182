"""Records of a topic, read from the broker by another Kafka client than the one that lands them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from pin_pipeline.kafka.connection import KafkaConnection

GROUP = "pin-pipeline-audit"
"""Group name, which librdkafka requires even of consumers that join no group; IAM policies name it."""
REQUEST_SECONDS = 10
STALL_SECONDS = 60
POLL_SECONDS = 0.01
BATCH = 500
"""Messages per poll: fewer than the allocations that trigger a garbage collection, so that it visits few of them."""

STALLED, END = KafkaError._TIMED_OUT, KafkaError._PARTITION_EOF  # noqa: SLF001
"""Not private: librdkafka prefixes its own error codes with an underscore."""

Message = tuple[int, bytes | None]
"""Offset and value of a record; the value of a tombstone is None."""


class BrokerReader:
    """A consumer without side effects on the broker: it joins no group and commits nothing.

    Every method raises KafkaException if the broker does not respond in time.
    """

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                **connection.librdkafka(),
                "group.id": GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )

    def partitions(self) -> list[int]:
        """Return the partitions of the topic."""
        return sorted(self._consumer.list_topics(self._topic, REQUEST_SECONDS).topics[self._topic].partitions)

    def begin(self, partition: int) -> int:
        """Return the first offset that the broker still has."""
        return self._watermarks(partition)[0]

    def end(self, partition: int) -> int:
        """Return the offset after the last record."""
        return self._watermarks(partition)[1]

    def messages(self, partition: int, first: int) -> Iterator[Message]:
        """Yield offsets and values in order, from `first` to the current end."""
        end = self.end(partition)
        if first >= end:
            return
        self._consumer.assign([TopicPartition(self._topic, partition, first)])
        deadline = time.monotonic() + STALL_SECONDS
        while time.monotonic() < deadline:
            batch = self._consumer.consume(BATCH, POLL_SECONDS)
            for message in batch:
                offset = message.offset()
                if _is_end(message) or offset is None or offset >= end:
                    return
                yield offset, message.value()
                if offset + 1 == end:  # without waiting until the broker reports the end
                    return
            if batch:
                deadline = time.monotonic() + STALL_SECONDS
        raise KafkaException(KafkaError(STALLED, f"{self._topic}/{partition} returned nothing for {STALL_SECONDS} s"))

    def close(self) -> None:
        """Close the connection to the broker."""
        self._consumer.close()

    def _watermarks(self, partition: int) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), REQUEST_SECONDS)
        return int(low), int(high)


def _is_end(message: KafkaMessage) -> bool:
    """Return whether a message marks the end of a partition. Raises KafkaException for any other error."""
    error = message.error()
    if error is not None and error.code() != END:
        raise KafkaException(error)
    return error is not None
