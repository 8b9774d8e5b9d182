"""The gateway's side of Kafka: which topics there are, and handing records to the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import KafkaError as Refusal
from kafka import KafkaAdminClient
from kafka.errors import InvalidTopicError, KafkaError, UnknownTopicOrPartitionError, for_code

from pin_pipeline.gateway.errors import (
    broker_error,
    broker_unavailable,
    partition_not_found,
    topic_not_found,
    worth_another_try,
)
from pin_pipeline.gateway.kafka.partitions import partitions_of
from pin_pipeline.gateway.kafka.producer import Outcome, Producer
from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.kafka.connection import KafkaConnection

T = TypeVar("T")

ANSWER_TIMEOUT_MS = 2000
# After that long a topic may have more partitions, or be gone.
KNOWN_SECONDS = 30
CONNECTION = {
    "client_id": "pin-pipeline-gateway",
    "bootstrap_timeout_ms": ANSWER_TIMEOUT_MS,
    "reconnect_backoff_max_ms": 500,
}
ADMIN = {"request_timeout_ms": ANSWER_TIMEOUT_MS}


class KafkaBroker:
    """The Kafka cluster behind the gateway. Every method raises ApiError 503 where it does not answer in time.

    The gateway serves before its broker does: it connects when first asked, and again after a failure.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self.connection = connection
        self._connecting: asyncio.Future[KafkaAdminClient] | None = None
        self._producer = Producer(connection)
        self._known: dict[str, tuple[int, float]] = {}
        # The admin client bears one thread at a time.
        self._asking = ThreadPoolExecutor(1, "kafka-admin")

    async def topics(self) -> list[str]:
        """The names of all topics, sorted."""
        return sorted(await self._ask(lambda admin: admin.list_topics()))

    async def topic(self, name: str) -> dict[str, Any]:
        """A topic's metadata as the broker words it. Raises ApiError 404 where there is none."""
        [topic] = await self._ask(lambda admin: admin.describe_topics([name]))
        error = for_code(topic["error_code"])
        if error in (UnknownTopicOrPartitionError, InvalidTopicError):
            raise topic_not_found(name)
        if topic["error_code"]:
            raise broker_error(self.connection.place, error(name))
        return dict(topic)

    async def send(self, topic: str, records: Sequence[ProduceRecord]) -> list[Outcome]:
        """Send the records, in order, and wait until all replicas have each of them, or its refusal is final.

        Raises:
            ApiError: 404 for an unknown topic or partition, before anything is sent.
        """
        partitions = await self._partitions(topic)
        for record in records:
            if record.partition is not None and record.partition >= partitions:
                raise partition_not_found(topic, record.partition, partitions)
        chosen = partitions_of(topic, records, partitions)
        outcomes = await self._producer.send(topic, records, chosen)
        refused = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
        for number in refused:
            # For one record that is too large the broker refuses all that came in one batch with it.
            if len(records) > 1 and _too_large(outcomes[number]):
                [outcomes[number]] = await self._producer.send(topic, [records[number]], [chosen[number]])
        refusals = [outcome for number in refused if isinstance(outcome := outcomes[number], Refusal)]
        if refusals:
            self._known.pop(topic, None)
        if len(refusals) == len(outcomes) and all(map(worth_another_try, refusals)):
            raise broker_unavailable(self.connection.place, refusals[0].str())
        return outcomes

    async def close(self) -> None:
        """Close the connections; what is under way is delivered or refused first."""
        await asyncio.to_thread(self._producer.close)
        if self._connecting is None:
            return
        with suppress(KafkaError):
            admin = await self._connecting
            await asyncio.to_thread(admin.close)

    async def _partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises ApiError 404 where there is no such topic."""
        partitions, known_until = self._known.get(topic, (0, 0.0))
        if time.monotonic() > known_until:
            partitions = len((await self.topic(topic))["partitions"])
            self._known[topic] = partitions, time.monotonic() + KNOWN_SECONDS
        return partitions

    async def _ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        admin = await self._admin()
        with self._translated_errors():
            async with asyncio.timeout(ANSWER_TIMEOUT_MS / 1000):
                return await asyncio.get_running_loop().run_in_executor(self._asking, question, admin)

    async def _admin(self) -> KafkaAdminClient:
        if self._connecting is None:
            connect = partial(KafkaAdminClient, **self.connection.kafka_python(), **ADMIN, **CONNECTION)
            self._connecting = asyncio.ensure_future(asyncio.to_thread(connect))
        with self._translated_errors():
            try:
                return await asyncio.shield(self._connecting)
            except KafkaError:
                self._connecting = None
                raise

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise broker_error(self.connection.place, error) from error
        except TimeoutError as error:
            raise broker_unavailable(self.connection.place, f"no answer within {ANSWER_TIMEOUT_MS} ms") from error


def _too_large(outcome: Outcome) -> bool:
    return isinstance(outcome, Refusal) and outcome.code() == Refusal.MSG_SIZE_TOO_LARGE
