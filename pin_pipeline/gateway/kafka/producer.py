"""Producer: sends records to the broker and matches each with its delivery report."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import msgspec
from confluent_kafka import KafkaError as DeliveryError
from confluent_kafka import Message
from confluent_kafka import Producer as Client

from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.kafka.connection import KafkaConnection

DELIVERY_TIMEOUT_MS = 8000
POLL_SECONDS = 0.001
PRODUCER = {
    "client.id": "pin-pipeline-gateway",
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": DELIVERY_TIMEOUT_MS,
    "socket.timeout.ms": DELIVERY_TIMEOUT_MS // 2,
    "reconnect.backoff.max.ms": 500,
    "linger.ms": 0.3,
    # The broker limits the size of a record, the gateway the bytes in flight (`http.backpressure`).
    "message.max.bytes": 16 * 2**20,
    "queue.buffering.max.messages": 0,
}


class RecordMetadata(msgspec.Struct, frozen=True, gc=False):
    """Partition and offset of an acknowledged record."""

    partition: int
    offset: int


RecordContent: TypeAlias = tuple[bytes, bytes, int | None]
"""Value, key and partition of a record."""
DeliveryResult: TypeAlias = RecordMetadata | DeliveryError
"""Metadata of an acknowledged record, or the reason why it was refused."""


class Producer:
    """Sends records in the given order, each at least once, and exactly once unless the process dies.

    The event loop itself polls for delivery reports: a polling thread would constantly compete with it for the GIL.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._client = Client({**connection.librdkafka(), **PRODUCER}, logger=logging.getLogger(__name__))
        self._waiting = 0
        self._polling = False

    async def send(
        self, topic: str, records: Sequence[ProduceRecord], partitions: Sequence[int]
    ) -> list[DeliveryResult]:
        """Send each record to its partition, and wait until it is acknowledged, or its refusal is final."""
        messages: list[dict[str, Any]] = [{"value": record.value, "key": record.key} for record in records]
        by_partition: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for partition, message in zip(partitions, messages, strict=True):
            by_partition[partition].append(message)
        reports = _DeliveryReports(asyncio.get_running_loop().create_future())
        # `produce_batch` takes one partition for the batch and ignores those of its messages.
        for partition, batch in by_partition.items():
            reports.outstanding += self._client.produce_batch(topic, batch, partition, on_delivery=reports.add)
        # Under load this polls more often than the timer of `_poll` does.
        self._client.poll(0)
        if reports.outstanding:
            await self._poll_until(reports.complete)
        unsent = {number: message["_error"] for number, message in enumerate(messages) if "_error" in message}
        return reports.results(records, partitions, unsent)

    def close(self) -> None:
        """Wait until each record is delivered or refused."""
        self._client.flush(DELIVERY_TIMEOUT_MS / 1000)

    async def _poll_until(self, complete: asyncio.Future[None]) -> None:
        self._waiting += 1
        if not self._polling:
            self._poll(asyncio.get_running_loop())
        try:
            await complete
        finally:
            self._waiting -= 1

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        self._client.poll(0)
        self._polling = self._waiting > 0
        if self._polling:
            loop.call_later(POLL_SECONDS, self._poll, loop)


class _DeliveryReports:
    """Collects the delivery reports of one request.

    Refused records are identified by their content; among identical records it does not matter which one was refused.
    Acknowledged records have ascending offsets per partition, in the order in which they were sent.
    """

    __slots__ = ("_errors", "_offsets", "complete", "outstanding")

    def __init__(self, complete: asyncio.Future[None]) -> None:
        self.complete = complete
        self.outstanding = 0
        self._offsets: defaultdict[int | None, list[int]] = defaultdict(list)
        self._errors: defaultdict[RecordContent, list[DeliveryError]] = defaultdict(list)

    def add(self, error: DeliveryError | None, message: Message) -> None:
        """Add the report of one outstanding record."""
        if error is None:
            self._offsets[message.partition()].append(cast("int", message.offset()))
        else:
            self._errors[_content(message.value(), message.key(), message.partition())].append(error)
        self.outstanding -= 1
        if not self.outstanding and not self.complete.done():
            self.complete.set_result(None)

    def results(
        self, records: Sequence[ProduceRecord], partitions: Sequence[int], unsent: dict[int, DeliveryError]
    ) -> list[DeliveryResult]:
        """Return the result of each record.

        Args:
            records: the records of the request.
            partitions: the partition of each record.
            unsent: errors of records that were not sent and have no report, by their number.
        """
        acknowledged = {partition: iter(sorted(offsets)) for partition, offsets in self._offsets.items()}
        if not self._errors and not unsent:
            return [RecordMetadata(partition, next(acknowledged[partition])) for partition in partitions]

        def result(number: int, record: ProduceRecord, partition: int) -> DeliveryResult:
            if number in unsent:
                return unsent[number]
            if errors := self._errors.get(_content(record.value, record.key, partition)):
                return errors.pop()
            return RecordMetadata(partition, next(acknowledged[partition]))

        return [result(number, *sent) for number, sent in enumerate(zip(records, partitions, strict=True))]


def _content(value: bytes | None, key: bytes | None, partition: int | None) -> RecordContent:
    return value or b"", key or b"", partition
