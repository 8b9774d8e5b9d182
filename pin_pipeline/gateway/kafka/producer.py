"""Producer: sends records to the broker and matches each with its delivery report."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias, cast

import msgspec
from confluent_kafka import KafkaError as DeliveryError
from confluent_kafka import Message
from confluent_kafka import Producer as Client

from pin_pipeline.gateway.kafka.partitions import PARTITIONER
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
    "partitioner": PARTITIONER,
    # The default limit of brokers: a record that they would refuse is not sent.
    "message.max.bytes": 2**20 + 12,
    "queue.buffering.max.messages": 0,
}


class RecordMetadata(msgspec.Struct, frozen=True, gc=False):
    """Partition and offset of an acknowledged record."""

    partition: int
    offset: int


_UNREPORTED = RecordMetadata(-1, -1)
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
        reports = _DeliveryReports(len(records))
        messages: list[dict[str, Any]] = [
            {"value": record.value, "key": record.key, "callback": partial(reports.add, number)}
            for number, record in enumerate(records)
        ]
        # `produce_batch` takes one partition for the batch and ignores those of its messages.
        by_partition: defaultdict[int, list[int]] = defaultdict(list)
        for number, partition in enumerate(partitions):
            by_partition[partition].append(number)
        for partition, numbers in by_partition.items():
            batch = [messages[number] for number in numbers]
            if self._client.produce_batch(topic, batch, partition) < len(batch):
                for number in numbers:
                    if error := messages[number].get("_error"):  # not sent, and not reported
                        reports.add(number, error, None)
        # Under load this polls more often than the timer of `_poll` does.
        self._client.poll(0)
        if reports.outstanding:
            await self._poll_until(reports.complete)
        return reports.results

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
    """Collects the delivery reports of one request, by the number of the record."""

    __slots__ = ("complete", "outstanding", "results")

    def __init__(self, records: int) -> None:
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outstanding = records
        self.results: list[DeliveryResult] = [_UNREPORTED] * records

    def add(self, number: int, error: DeliveryError | None, message: Message | None) -> None:
        """Add the report of one record."""
        if message is None or error is not None:
            self.results[number] = cast("DeliveryError", error)
        else:
            self.results[number] = RecordMetadata(cast("int", message.partition()), cast("int", message.offset()))
        self.outstanding -= 1
        if not self.outstanding and not self.complete.done():
            self.complete.set_result(None)
