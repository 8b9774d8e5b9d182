"""Records on their way to the broker, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from confluent_kafka import KafkaError, Message
from confluent_kafka import Producer as Client

DELIVERY_TIMEOUT_MS = 8000
POLL_SECONDS = 0.1
PRODUCER = {
    "client.id": "pin-pipeline-gateway",
    "acks": "all",
    "enable.idempotence": True,
    "message.timeout.ms": DELIVERY_TIMEOUT_MS,
    "socket.timeout.ms": DELIVERY_TIMEOUT_MS // 2,
    "reconnect.backoff.max.ms": 500,
    "linger.ms": 1,
    # How large a record may be, the broker decides; how many may wait, the gateway: see `limits`.
    "message.max.bytes": 16 * 2**20,
    "queue.buffering.max.messages": 0,
}


class Placed(NamedTuple):
    """A record, and the partition that it is for."""

    value: bytes | None
    key: bytes | None
    partition: int


class Stored(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


Content: TypeAlias = tuple[bytes, bytes, int | None]
Outcome: TypeAlias = Stored | KafkaError
"""What became of a record: where it is, or why it was refused."""


class Producer:
    """Sends records in the order in which they are given, each at least once, and once unless the process dies.

    A thread of its own tells what became of them.
    """

    def __init__(self, bootstrap: str) -> None:
        self._client = Client({"bootstrap.servers": bootstrap, **PRODUCER}, logger=logging.getLogger(__name__))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-deliveries", daemon=True)
        self._thread.start()

    async def send(self, topic: str, records: Sequence[Placed]) -> list[Outcome]:
        """Hand over the records of a request, and wait until the broker has each of them, or its refusal is final."""
        deliveries = _Deliveries()
        messages: list[_Message] = [{"value": record.value, "key": record.key} for record in records]
        by_partition: defaultdict[int, list[_Message]] = defaultdict(list)
        for record, message in zip(records, messages, strict=True):
            by_partition[record.partition].append(message)
        # The client takes the partition of a batch alone, not those of its messages.
        handed_over = sum(
            self._client.produce_batch(topic, batch, partition, on_delivery=deliveries.settle)
            for partition, batch in by_partition.items()
        )
        deliveries.expect(handed_over)
        unsent = {number: message["_error"] for number, message in enumerate(messages) if "_error" in message}
        return _outcomes(records, await deliveries.all(), unsent)

    def close(self) -> None:
        """Wait until each record is delivered or refused."""
        self._client.flush(DELIVERY_TIMEOUT_MS / 1000)
        self._closing.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._client.poll(POLL_SECONDS)


_Message = dict[str, Any]


class _Deliveries:
    """The bridge from the client's thread to the event loop, which is woken once, by the last record of a request."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._complete: asyncio.Future[None] = self._loop.create_future()
        self._reports: list[tuple[KafkaError | None, Message]] = []
        self._expected: int | None = None

    def expect(self, reports: int) -> None:
        """How many records there are; some may be settled already."""
        self._expected = reports
        if len(self._reports) == reports:
            self._wake()

    def settle(self, error: KafkaError | None, message: Message) -> None:
        """Note what became of a record; called from the client's thread."""
        self._reports.append((error, message))
        if len(self._reports) == self._expected:
            self._loop.call_soon_threadsafe(self._wake)

    async def all(self) -> list[tuple[KafkaError | None, Message]]:
        """Wait until every record is settled."""
        await self._complete
        return self._reports

    def _wake(self) -> None:
        if not self._complete.done():
            self._complete.set_result(None)


def _outcomes(
    records: Sequence[Placed], reports: Sequence[tuple[KafkaError | None, Message]], unsent: dict[int, KafkaError]
) -> list[Outcome]:
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
        if refusals and (of_record := refusals.get(_content(*record))):
            return of_record.pop()
        return Stored(record.partition, next(stored[record.partition]))

    return [outcome(number, record) for number, record in enumerate(records)]


def _content(value: bytes | None, key: bytes | None, partition: int | None) -> Content:
    return value or b"", key or b"", partition
