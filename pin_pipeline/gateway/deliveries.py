"""The bridge from the Kafka client's threads to the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TypeAlias

from kafka.errors import KafkaError
from kafka.producer.future import RecordMetadata

Outcome: TypeAlias = RecordMetadata | KafkaError
"""What became of a record: where it lies, or why it was refused."""


class Deliveries:
    """The outcomes of one request's records, in their order; the event loop is woken once, by the last of them."""

    def __init__(self, records: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._all_settled: asyncio.Future[None] = self._loop.create_future()
        self._outcomes: list[Outcome] = [None] * records
        self._unsettled = records
        self._lock = threading.Lock()

    def settle(self, position: int, outcome: Outcome) -> None:
        """Note what became of the record at that position; called from any thread, once for each record."""
        self._outcomes[position] = outcome
        with self._lock:
            self._unsettled -= 1
            last = self._unsettled == 0
        if last:
            self._loop.call_soon_threadsafe(self._wake)

    async def outcomes(self) -> list[Outcome]:
        """Wait until every record is settled."""
        await self._all_settled
        return self._outcomes

    def _wake(self) -> None:
        if not self._all_settled.done():
            self._all_settled.set_result(None)
