"""Landing by Kafka Connect: wait for an S3 sink connector, and verify its objects against the topic.

Until a connector has committed an offset after an object, it may overwrite that object with more records in it. The
verified offset of each partition is stored on S3 beside the objects, and cleaning reads no object beyond it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.landing.topic_reader import LandingError, check_retention, open_topic, read_records
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore, VerifiedOffset

POLL_SECONDS = 5.0
TIMEOUT_SECONDS = 15 * 60.0

log = logging.getLogger(__name__)


class ConnectorStatus(Protocol):
    """State of a connector, with a readable `str`."""

    @property
    def failed(self) -> bool:
        """Whether the connector has stopped and does not recover by itself."""


class SinkConnector(Protocol):
    """A connector that lands a topic."""

    @property
    def name(self) -> str:
        """Name of the connector."""

    @property
    def consumer_group(self) -> str:
        """Consumer group in which it commits the offsets that its objects reach."""

    def state(self) -> ConnectorStatus:
        """Return the current state."""


def wait_until_landed(  # noqa: PLR0913
    connection: KafkaConnection,
    store: ObjectStore,
    topic: str,
    connector: SinkConnector,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    fail_on_data_loss: bool = True,
    verify_all: bool = False,
) -> LandingResult:
    """Wait until all records that are on a topic at the start are on S3, in objects that are verified and final.

    Args:
        timeout_seconds: time without a new object after which the connector counts as stuck.
        fail_on_data_loss: whether records that the topic deleted before they were landed are an error.
        verify_all: verify all objects instead of the new ones only.

    Raises:
        LandingError: the connector has failed or is stuck, or its objects differ from the topic.
        StoreError: S3 refuses a request.
        AwsError: AWS does not return the state of the connector.
    """
    with open_topic(connection, topic, connector.consumer_group) as (consumer, partitions):
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        known = {} if verify_all else store.verified_offsets(topic) or {}
        verifiers = [
            _PartitionVerifier(
                consumer, store, partition, begins[partition], ends[partition], known.get(partition.partition)
            )
            for partition in partitions
        ]
        landed = LandingResult(end_offsets={verifier.number: verifier.end for verifier in verifiers})
        deadline = time.monotonic() + timeout_seconds
        while True:
            before = landed.records
            waiting = [verifier for verifier in verifiers if not verifier.advance(landed, fail_on_data_loss)]
            landed.next_offsets = {verifier.number: verifier.position for verifier in verifiers}
            if not waiting:
                break
            reached = ", ".join(
                f"partition {verifier.number}: {verifier.position} of {verifier.end}" for verifier in waiting
            )
            log.info("%s is not landed completely yet: %s", topic, reached)
            if landed.records > before:
                deadline = time.monotonic() + timeout_seconds
            _check_connector(connector, topic, reached, timeout_seconds, stuck=time.monotonic() > deadline)
            time.sleep(POLL_SECONDS)
        store.set_verified_offsets(
            topic, {verifier.number: verifier.verified for verifier in verifiers if verifier.verified}
        )
        landed.next_offsets = {verifier.number: max(verifier.position, verifier.end) for verifier in verifiers}
    landed.foreign = store.find_foreign(topic)
    return landed


def _check_connector(
    connector: SinkConnector, topic: str, reached: str, timeout_seconds: float, *, stuck: bool
) -> None:
    state = connector.state()
    if not state.failed and not stuck:
        return
    symptom = "failed" if state.failed else f"has landed nothing for {timeout_seconds:g} s"
    raise LandingError(
        f"connector {connector.name} {symptom}, its state is {state}; topic {topic} is landed up to {reached}; read "
        "the connector's log, fix the cause, and run the job restart_connector"
    )


@dataclass
class _PartitionVerifier:
    """Verifies the objects of one partition in order.

    Attributes:
        begin: first offset that the topic still has.
        end: end offset at the start.
        verified: the last object verified so far.
    """

    consumer: KafkaConsumer
    store: ObjectStore
    partition: TopicPartition
    begin: int
    end: int
    verified: VerifiedOffset | None

    @property
    def number(self) -> int:
        number: int = self.partition.partition
        return number

    @property
    def position(self) -> int:
        """Offset after the last verified record."""
        return 0 if self.verified is None else self.verified.next_offset

    def advance(self, landed: LandingResult, fail_on_data_loss: bool) -> bool:
        """Verify the new objects that are final; return whether they reach the end offset."""
        # Read before the objects are listed: objects before the committed offset are not overwritten.
        committed: int = self.consumer.committed(self.partition) or 0
        for name in self._new_names():
            # An object that begins before `position` overlaps the previous one: it is always verified, and rejected.
            if name.offset >= self.position and (self.position >= self.end or name.offset >= committed):
                break
            self._verify(name, landed, fail_on_data_loss)
        return self.position >= self.end or self._first_offset(max(self.position, self.begin), self.end) is None

    def _new_names(self) -> Iterator[ObjectName]:
        if self.verified is None:
            return self.store.list_from(ObjectName("topics", self.partition.topic, self.number, 0))
        return self.store.list_from(ObjectName.parse(self.verified.key), inclusive=False)

    def _verify(self, name: ObjectName, landed: LandingResult, fail_on_data_loss: bool) -> None:
        """Check that an object begins where the last one ended and has as many records as the topic has there."""
        if name.offset < self.position:
            raise LandingError(
                f"{name.key} begins before the end of the previous object, at {self.position}: an interrupted "
                "connector left it and landed its records again; delete it, and land again"
            )
        self._check_gap(name, fail_on_data_loss)
        body = self.store.read(name)
        lines = body.count(b"\n") + (not body.endswith(b"\n"))
        self.verified = VerifiedOffset(name.key, self._end_offset(name, lines))
        landed.add_object(lines, len(body))
        log.info("%s: %d records, up to offset %d of %d", name.key, lines, self.position, self.end)

    def _check_gap(self, name: ObjectName, fail_on_data_loss: bool) -> None:
        if name.offset == self.position:
            return
        check_retention(self.partition, self.position, self.begin, fail_on_data_loss)
        missing = self._first_offset(max(self.position, self.begin), name.offset)
        if missing is not None:
            raise LandingError(
                f"no object has offset {missing} of {name.topic}/{name.partition}, but the later {name.key} exists: "
                "an object was deleted, or the connector skipped the record; reset the connector's offsets, and land "
                "again"
            )

    def _end_offset(self, name: ObjectName, lines: int) -> int:
        """Return the offset after an object's last record. Offsets without a record are not in the object."""
        if name.offset < self.begin:  # the topic no longer has the records: they cannot be counted
            return name.offset + lines
        [end] = self.consumer.end_offsets([self.partition]).values()
        count, last = 0, name.offset
        for record in read_records(self.consumer, self.partition, name.offset, end):
            count, last = count + 1, record.offset
            if count == lines:
                return last + 1
        raise LandingError(
            f"{name.key} has {lines} lines, but the topic has {count} records from there on: a record with a line "
            "break cannot be distinguished from two records; the connector must not land such records"
        )

    def _first_offset(self, position: int, end: int) -> int | None:
        """Return the offset of the first record in [position, end), or None."""
        return next((record.offset for record in read_records(self.consumer, self.partition, position, end)), None)
