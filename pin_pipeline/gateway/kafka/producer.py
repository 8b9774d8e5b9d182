"""Records on their way to the broker, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import msgspec
from confluent_kafka import KafkaError, Message
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
    # How large a record may be, the broker decides; how many may wait, the gateway: see `limits`.
    "message.max.bytes": 16 * 2**20,
    "queue.buffering.max.messages": 0,
}


class Stored(msgspec.Struct, frozen=True, gc=False):
    """Where a record is."""

    partition: int
    offset: int


Content: TypeAlias = tuple[bytes, bytes, int | None]
Outcome: TypeAlias = Stored | KafkaError
"""What became of a record: where it is, or why it was refused."""


class Producer:
    """Sends records in the order in which they are given, each at least once, and once unless the process dies.

    The event loop itself asks what became of them: a thread that did would take the interpreter from it all the time.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._client = Client({**connection.librdkafka(), **PRODUCER}, logger=logging.getLogger(__name__))
        self._waiting = 0
        self._polling = False

    async def send(self, topic: str, records: Sequence[ProduceRecord], partitions: Sequence[int]) -> list[Outcome]:
        """Hand over records, each for its partition, and wait until the broker has it, or its refusal is final."""
        messages: list[dict[str, Any]] = [{"value": record.value, "key": record.key} for record in records]
        by_partition: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for partition, message in zip(partitions, messages, strict=True):
            by_partition[partition].append(message)
        reports = _DeliveryReports(asyncio.get_running_loop().create_future())
        # The client takes the partition of a batch alone, not those of its messages.
        for partition, batch in by_partition.items():
            reports.outstanding += self._client.produce_batch(topic, batch, partition, on_delivery=reports.add)
        # While requests come, what became of earlier ones is asked more often than the clock of `_poll` can.
        self._client.poll(0)
        if reports.outstanding:
            await self._reported(reports.complete)
        unsent = {number: message["_error"] for number, message in enumerate(messages) if "_error" in message}
        return reports.outcomes(records, partitions, unsent)

    def close(self) -> None:
        """Wait until each record is delivered or refused."""
        self._client.flush(DELIVERY_TIMEOUT_MS / 1000)

    async def _reported(self, complete: asyncio.Future[None]) -> None:
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
    """What the broker says of the records of a request, as it comes.

    A refused record is known by its content: of two that are the same it does not matter which one it is. Those that
    are stored stand in each partition in the order in which they were sent.
    """

    __slots__ = ("_offsets", "_refusals", "complete", "outstanding")

    def __init__(self, complete: asyncio.Future[None]) -> None:
        self.complete = complete
        self.outstanding = 0
        self._offsets: defaultdict[int | None, list[int]] = defaultdict(list)
        self._refusals: defaultdict[Content, list[KafkaError]] = defaultdict(list)

    def add(self, error: KafkaError | None, message: Message) -> None:
        """Note what became of one of the outstanding records."""
        if error is None:
            self._offsets[message.partition()].append(cast("int", message.offset()))
        else:
            self._refusals[_content(message.value(), message.key(), message.partition())].append(error)
        self.outstanding -= 1
        if not self.outstanding and not self.complete.done():
            self.complete.set_result(None)

    def outcomes(
        self, records: Sequence[ProduceRecord], partitions: Sequence[int], unsent: dict[int, KafkaError]
    ) -> list[Outcome]:
        """Tell which report is of which record, where those of `unsent` have none."""
        stored = {partition: iter(sorted(offsets)) for partition, offsets in self._offsets.items()}
        if not self._refusals and not unsent:
            return [Stored(partition, next(stored[partition])) for partition in partitions]

        def outcome(number: int, record: ProduceRecord, partition: int) -> Outcome:
            if number in unsent:
                return unsent[number]
            if of_record := self._refusals.get(_content(record.value, record.key, partition)):
                return of_record.pop()
            return Stored(partition, next(stored[partition]))

        return [outcome(number, *placed) for number, placed in enumerate(zip(records, partitions, strict=True))]


def _content(value: bytes | None, key: bytes | None, partition: int | None) -> Content:
    return value or b"", key or b"", partition
