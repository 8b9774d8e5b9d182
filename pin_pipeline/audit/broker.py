"""What is on the topic, read from the broker."""

from __future__ import annotations

from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition

BOOTSTRAP_MILLISECONDS = 10_000

Message = tuple[int, bytes | None]


class Broker:
    """A consumer that leaves no trace: it belongs to no group and commits nothing."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            max_poll_records=10_000,
            max_partition_fetch_bytes=8 * 2**20,
            bootstrap_timeout_ms=BOOTSTRAP_MILLISECONDS,
        )

    def partitions(self) -> list[int]:
        """The partitions of the topic."""
        return sorted(self._consumer.partitions_for_topic(self._topic) or ())

    def begin(self, partition: int) -> int:
        """The first offset that the broker still holds."""
        where = TopicPartition(self._topic, partition)
        return int(self._consumer.beginning_offsets([where])[where])

    def end(self, partition: int) -> int:
        """The offset after the last record of now."""
        where = TopicPartition(self._topic, partition)
        return int(self._consumer.end_offsets([where])[where])

    def messages(self, partition: int, first: int) -> Iterator[Message]:
        """Offsets and values from `first` to the end of now, in order."""
        where = TopicPartition(self._topic, partition)
        self._consumer.assign([where])
        end = self.end(partition)
        self._consumer.seek(where, first)
        while self._consumer.position(where) < end:
            for message in self._consumer.poll(1000).get(where, ()):
                if message.offset >= end:
                    return
                yield message.offset, message.value

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
