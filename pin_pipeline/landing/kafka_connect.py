"""Wait until a connector has landed a topic, and prove of each of its objects that it has the topic's records.

What is proven stands on S3 beside the objects, and cleaning reads no further: before the connector has committed behind
an object, it may write it anew with more records in it.
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
from pin_pipeline.landing.topic_reader import LandingError, check_retained, reading, records
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore, Proven

POLL_SECONDS = 5.0

log = logging.getLogger(__name__)


class ConnectorStatus(Protocol):
    """How a connector is, for a person to read."""

    @property
    def failed(self) -> bool:
        """Whether it does not go on by itself."""


class Connector(Protocol):
    """What lands the topic."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def group(self) -> str:
        """The consumer group by which it commits how far its objects reach."""

    def state(self) -> ConnectorStatus:
        """How it is now."""


def await_landed(  # noqa: PLR0913 - the last three are options
    connection: KafkaConnection,
    store: ObjectStore,
    topic: str,
    connector: Connector,
    *,
    patience_seconds: float,
    fail_on_data_loss: bool = True,
    from_the_beginning: bool = False,
) -> LandingResult:
    """Return when all that is on a topic now is on S3, proven and final.

    Args:
        patience_seconds: how long nothing may come before the connector counts as stuck.
        fail_on_data_loss: whether records that aged out of the topic before they were landed are an error.
        from_the_beginning: prove all objects anew, not only those that came since the last time.

    Raises:
        LandingError: the connector failed or is stuck, or its objects are not what is on the topic.
        StoreError: S3 refused.
        AwsError: AWS does not tell how the connector is.
    """
    with reading(connection, topic, connector.group) as (consumer, partitions):
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        known = {} if from_the_beginning else store.proven(topic) or {}
        proofs = [
            _Proof(consumer, store, partition, begins[partition], ends[partition], known.get(partition.partition))
            for partition in partitions
        ]
        landed = LandingResult(end_offsets={proof.number: proof.end for proof in proofs})
        patience = time.monotonic() + patience_seconds
        while True:
            before = landed.records
            waiting = [proof for proof in proofs if not proof.complete(landed, fail_on_data_loss)]
            landed.next_offsets = {proof.number: proof.position for proof in proofs}
            if not waiting:
                break
            where = ", ".join(f"partition {proof.number}: {proof.position} of {proof.end}" for proof in waiting)
            log.info("%s is not landed to its end yet: %s", topic, where)
            if landed.records > before:
                patience = time.monotonic() + patience_seconds
            _check(connector, topic, where, patience_seconds, stuck=time.monotonic() > patience)
            time.sleep(POLL_SECONDS)
        store.set_proven(topic, {proof.number: proof.proven for proof in proofs if proof.proven})
        landed.next_offsets = {proof.number: max(proof.position, proof.end) for proof in proofs}
    return landed


def _check(connector: Connector, topic: str, where: str, patience_seconds: float, *, stuck: bool) -> None:
    state = connector.state()
    if not state.failed and not stuck:
        return
    what = "failed" if state.failed else f"has landed nothing for {patience_seconds:g} s"
    raise LandingError(
        f"connector {connector.name} {what}, it is {state}; topic {topic} is landed up to {where}; look into its log, "
        "mend what it says, and run the job restart_connector"
    )


@dataclass
class _Proof:
    """How far the objects of a partition are proven."""

    consumer: KafkaConsumer
    store: ObjectStore
    partition: TopicPartition
    begin: int
    end: int
    proven: Proven | None

    @property
    def number(self) -> int:
        number: int = self.partition.partition
        return number

    @property
    def position(self) -> int:
        """The offset behind what is proven."""
        return 0 if self.proven is None else self.proven.next_offset

    def complete(self, landed: LandingResult, fail_on_data_loss: bool) -> bool:
        """Prove the objects that came and are final; says whether these are all."""
        # Asked for before the objects are listed: what lies before it is not written anew.
        committed: int = self.consumer.committed(self.partition) or 0
        for name in self._new_names():
            # One that begins before that is looked at in any case: it would be read.
            if name.offset >= self.position and (self.position >= self.end or name.offset >= committed):
                break
            self._prove(name, landed, fail_on_data_loss)
        return self.position >= self.end or self._first(max(self.position, self.begin), self.end) is None

    def _new_names(self) -> Iterator[ObjectName]:
        if self.proven is None:
            return self.store.names_from(ObjectName("topics", self.partition.topic, self.number, 0))
        return self.store.names_from(ObjectName.parse(self.proven.key), inclusive=False)

    def _prove(self, name: ObjectName, landed: LandingResult, fail_on_data_loss: bool) -> None:
        """Prove that an object begins where the last one ended, and has as many records as the topic has there."""
        if name.offset < self.position:
            raise LandingError(
                f"{name.key} begins before the end of the object before it, at {self.position}: a connector that was "
                "interrupted left it behind and landed its records again; remove it, and land again"
            )
        self._check_gap(name, fail_on_data_loss)
        body = self.store.read(name)
        lines = body.count(b"\n") + (not body.endswith(b"\n"))
        self.proven = Proven(name.key, self._end(name, lines))
        landed.add_object(lines, len(body))
        log.info("%s: %d records, up to offset %d of %d", name.key, lines, self.position, self.end)

    def _check_gap(self, name: ObjectName, fail_on_data_loss: bool) -> None:
        if name.offset == self.position:
            return
        check_retained(self.partition, self.position, self.begin, fail_on_data_loss)
        missing = self._first(max(self.position, self.begin), name.offset)
        if missing is not None:
            raise LandingError(
                f"no object has offset {missing} of {name.topic}/{name.partition}, but {name.key} is there: it was "
                "removed, or the connector passed it over; set the connector's offsets back, and land again"
            )

    def _end(self, name: ObjectName, lines: int) -> int:
        """The offset behind the object's last record: holes in the topic, of transactions or compaction, are none."""
        if name.offset < self.begin:  # what is no longer there to be counted
            return name.offset + lines
        [now] = self.consumer.end_offsets([self.partition]).values()
        count, last = 0, name.offset
        for record in records(self.consumer, self.partition, name.offset, now):
            count, last = count + 1, record.offset
            if count == lines:
                return last + 1
        raise LandingError(
            f"{name.key} has {lines} lines, but the topic has {count} records from there on: a record with a line "
            "break in it cannot be told from two; the connector must not land such ones"
        )

    def _first(self, position: int, end: int) -> int | None:
        """The offset of the first record of [position, end), if there is one."""
        return next((record.offset for record in records(self.consumer, self.partition, position, end)), None)
