"""What is on the topic, read from the broker by another client than the one that landed it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Received

from pin_pipeline.kafka.connection import KafkaConnection

# The library wants a group's name even of those who join none.
GROUP = "pin-pipeline-audit"
ANSWER_SECONDS = 10
STALL_SECONDS = 60
POLL_SECONDS = 0.01
# Fewer than the objects whose making starts the garbage collector, so that it meets hardly any of them.
BATCH = 500

# Not private, but how librdkafka names the codes that are its own.
STALLED, END = KafkaError._TIMED_OUT, KafkaError._PARTITION_EOF  # noqa: SLF001

# An offset and a value, None of a tombstone.
Message = tuple[int, bytes | None]


class BrokerReader:
    """A consumer that leaves no trace: it joins no group and commits nothing.

    Every method raises KafkaException where the broker does not answer in time.
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
        """The partitions of the topic."""
        return sorted(self._consumer.list_topics(self._topic, ANSWER_SECONDS).topics[self._topic].partitions)

    def begin(self, partition: int) -> int:
        """The first offset that the broker still holds."""
        return self._watermarks(partition)[0]

    def end(self, partition: int) -> int:
        """The offset after the last record of now."""
        return self._watermarks(partition)[1]

    def messages(self, partition: int, first: int) -> Iterator[Message]:
        """Offsets and values from `first` to the end of now, in order."""
        end = self.end(partition)
        if first >= end:
            return
        self._consumer.assign([TopicPartition(self._topic, partition, first)])
        patience = time.monotonic() + STALL_SECONDS
        while time.monotonic() < patience:
            batch = self._consumer.consume(BATCH, POLL_SECONDS)
            for message in batch:
                offset = message.offset()
                if _is_end(message) or offset is None or offset >= end:
                    return
                yield offset, message.value()
            if batch:
                patience = time.monotonic() + STALL_SECONDS
        raise KafkaException(KafkaError(STALLED, f"{self._topic}/{partition} gave nothing for {STALL_SECONDS} s"))

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _watermarks(self, partition: int) -> tuple[int, int]:
        where = TopicPartition(self._topic, partition)
        low, high = self._consumer.get_watermark_offsets(where, ANSWER_SECONDS)
        return int(low), int(high)


def _is_end(message: Received) -> bool:
    """Whether the message only says that there are no more. Raises KafkaException for any other error."""
    error = message.error()
    if error is not None and error.code() != END:
        raise KafkaException(error)
    return error is not None
