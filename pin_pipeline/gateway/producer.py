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

from pin_pipeline.messaging.connection import KafkaConnection

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


class Placed(msgspec.Struct, frozen=True, gc=False):
    """A record, and the partition that it is for."""

    value: bytes | None
    key: bytes | None
    partition: int


class Stored(msgspec.Struct, frozen=True, gc=False):
    """Where a record is."""

    partition: int
    offset: int


Content: TypeAlias = tuple[bytes, bytes, int | None]
Report: TypeAlias = tuple[KafkaError | None, Message]
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

    async def send(self, topic: str, records: Sequence[Placed]) -> list[Outcome]:
        """Hand over the records of a request, and wait until the broker has each of them, or its refusal is final."""
        reports: list[Report] = []
        messages: list[dict[str, Any]] = [{"value": record.value, "key": record.key} for record in records]
        by_partition: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for record, message in zip(records, messages, strict=True):
            by_partition[record.partition].append(message)
        complete = asyncio.get_running_loop().create_future()
        handed_over = 0

        def settle(error: KafkaError | None, message: Message) -> None:
            reports.append((error, message))
            if len(reports) == handed_over and not complete.done():
                complete.set_result(None)

        # The client takes the partition of a batch alone, not those of its messages.
        for partition, batch in by_partition.items():
            handed_over += self._client.produce_batch(topic, batch, partition, on_delivery=settle)
        if handed_over:
            await self._reported(complete)
        unsent = {number: message["_error"] for number, message in enumerate(messages) if "_error" in message}
        return _outcomes(records, reports, unsent)

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


def _outcomes(records: Sequence[Placed], reports: Sequence[Report], unsent: dict[int, KafkaError]) -> list[Outcome]:
    """Tell which report is of which record.

    A refused record is known by its content: of two that are the same it does not matter which one it is. Those that
    are stored stand in each partition in the order in which they were sent.
    """
    offsets: defaultdict[int | None, list[int]] = defaultdict(list)
    refusals: defaultdict[Content, list[KafkaError]] = defaultdict(list)
    for error, message in reports:
        partition = message.partition()
        if error is None:
            offsets[partition].append(cast("int", message.offset()))
        else:
            refusals[_content(message.value(), message.key(), partition)].append(error)
    stored = {partition: iter(sorted(found)) for partition, found in offsets.items()}

    def outcome(number: int, record: Placed) -> Outcome:
        if number in unsent:
            return unsent[number]
        if refusals and (of_record := refusals.get(_content(record.value, record.key, record.partition))):
            return of_record.pop()
        return Stored(record.partition, next(stored[record.partition]))

    return [outcome(number, record) for number, record in enumerate(records)]


def _content(value: bytes | None, key: bytes | None, partition: int | None) -> Content:
    return value or b"", key or b"", partition
