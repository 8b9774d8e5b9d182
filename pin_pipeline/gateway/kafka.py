"""The gateway's side of Kafka: which topics there are, and handing records to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import InvalidTopicError, KafkaError, UnknownTopicOrPartitionError, for_code

from pin_pipeline.gateway.deliveries import Deliveries, Outcome
from pin_pipeline.gateway.envelope import Record
from pin_pipeline.gateway.errors import broker_error, broker_unavailable, partition_not_found, topic_not_found
from pin_pipeline.gateway.partitions import partition_of

T = TypeVar("T")

ANSWER_TIMEOUT_MS = 2000
DELIVERY_TIMEOUT_MS = 8000
CONNECTION = {
    "client_id": "pin-pipeline-gateway",
    "bootstrap_timeout_ms": ANSWER_TIMEOUT_MS,
    "reconnect_backoff_max_ms": 500,
}
# kafka-python 3.0's idempotent producer refuses everything for good once the broker has refused one record.
PRODUCER = {
    "acks": "all",
    "enable_idempotence": False,
    "max_in_flight_requests_per_connection": 1,
    "allow_auto_create_topics": False,
    "max_block_ms": ANSWER_TIMEOUT_MS,
    "request_timeout_ms": DELIVERY_TIMEOUT_MS // 2,
    "delivery_timeout_ms": DELIVERY_TIMEOUT_MS,
    "metadata_max_age_ms": 30_000,
}
ADMIN = {"request_timeout_ms": ANSWER_TIMEOUT_MS}


class Clients(NamedTuple):
    """The Kafka clients of the process."""

    admin: KafkaAdminClient
    producer: KafkaProducer


class Broker:
    """The Kafka cluster behind the gateway. Every method raises ApiError 503 where it does not answer in time.

    The gateway serves before its broker does: it connects when first asked, and again after a failure.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._connecting: asyncio.Future[Clients] | None = None
        self._known_topics: set[str] = set()
        # One thread sends, so that records keep the order in which their requests came.
        self._sending = ThreadPoolExecutor(1, "kafka-send")

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
            raise broker_error(self.bootstrap, error(name))
        return dict(topic)

    async def send(self, topic: str, records: list[Record]) -> list[Outcome]:
        """Send the records, in order, and wait until all replicas have each of them, or its refusal is final.

        At least once: where an acknowledgement is lost, the client sends again, and a caller told 503 should too.

        Raises:
            ApiError: 404 for an unknown topic or partition, before anything is sent.
        """
        clients = await self._clients()
        if topic not in self._known_topics:
            await self.topic(topic)
            self._known_topics.add(topic)
        deliveries = Deliveries(len(records))
        loop = asyncio.get_running_loop()
        with self._translated_errors():
            await loop.run_in_executor(self._sending, _send, clients.producer, topic, records, deliveries)
        outcomes = await deliveries.outcomes()
        refused = [outcome for outcome in outcomes if isinstance(outcome, KafkaError)]
        if any(error.retriable for error in refused):
            self._known_topics.discard(topic)
        if len(refused) == len(outcomes) and all(error.retriable for error in refused):
            raise broker_unavailable(self.bootstrap, refused[0])
        return outcomes

    async def close(self) -> None:
        """Close the connections; what is under way is delivered or refused first."""
        self._sending.shutdown()
        if self._connecting is None:
            return
        with suppress(KafkaError):
            clients = await self._connecting
            await asyncio.to_thread(clients.producer.close, DELIVERY_TIMEOUT_MS / 1000)
            await asyncio.to_thread(clients.admin.close)

    async def _ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        clients = await self._clients()
        with self._translated_errors():
            async with asyncio.timeout(ANSWER_TIMEOUT_MS / 1000):
                return await asyncio.to_thread(question, clients.admin)

    async def _clients(self) -> Clients:
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(asyncio.to_thread(_connect, self.bootstrap))
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
            raise broker_error(self.bootstrap, error) from error
        except TimeoutError as error:
            raise broker_unavailable(self.bootstrap, f"no answer within {ANSWER_TIMEOUT_MS} ms") from error


def _connect(bootstrap: str) -> Clients:
    # The producer first: where no broker answers it leaves nothing behind, the admin client leaves a thread.
    producer = KafkaProducer(bootstrap_servers=bootstrap, **PRODUCER, **CONNECTION)
    try:
        return Clients(KafkaAdminClient(bootstrap_servers=bootstrap, **ADMIN, **CONNECTION), producer)
    except KafkaError:
        producer.close()
        raise


def _send(producer: KafkaProducer, topic: str, records: list[Record], deliveries: Deliveries) -> None:
    partitions = len(producer.partitions_for(topic))
    for record in records:
        if record.partition is not None and record.partition >= partitions:
            raise partition_not_found(topic, record.partition, partitions)
    for position, record in enumerate(records):
        partition = record.partition
        if partition is None and record.key is None:
            partition = partition_of(topic, record.decoded, partitions)
        settle = partial(deliveries.settle, position)
        try:
            future = producer.send(topic, record.value, record.key, partition=partition)
        except KafkaError as error:
            settle(error)
        else:
            future.add_both(settle)
