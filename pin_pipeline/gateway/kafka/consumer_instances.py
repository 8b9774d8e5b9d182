"""Consumers that live in the gateway between the requests of those who created them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import IllegalStateError, KafkaError

from pin_pipeline.gateway.errors import (
    broker_error,
    consumer_exists,
    consumer_not_found,
    illegal_state,
    too_many_consumers,
)
from pin_pipeline.gateway.http.media_types import Embedded
from pin_pipeline.gateway.kafka.broker import CONNECTION
from pin_pipeline.kafka.connection import KafkaConnection

T = TypeVar("T")

# As the proxy has it: an instance that nobody has asked for in so long is removed.
IDLE_SECONDS = 300
MAX_INSTANCES = 100
DEFAULT_WAIT_MS = 1000
CONSUMER = {"allow_auto_create_topics": False}


class Instance:
    """A consumer of a group. Kafka's client bears one thread at a time, so its requests wait for each other."""

    def __init__(
        self, connection: KafkaConnection, group: str, name: str, embedded: Embedded, options: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.embedded = embedded
        self.used = time.monotonic()
        self.wait_ms = DEFAULT_WAIT_MS
        self._connection = connection
        self._consumer: KafkaConsumer | None = None
        self._options = {"group_id": group, **options}
        self._thread = ThreadPoolExecutor(1, f"consumer-{name}")

    async def do(self, action: Callable[[KafkaConsumer], T]) -> T:
        """Do something with the consumer, which is connected when first used.

        Raises:
            ApiError: 409 where the consumer is in no state for it, 503 where the broker does not answer.
        """
        self.used = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: action(self._connected()))
        except IllegalStateError as error:
            raise illegal_state(str(error)) from error
        except KafkaError as error:
            raise broker_error(self._connection.place, error) from error
        finally:
            self.used = time.monotonic()

    async def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            with suppress(KafkaError):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._consumer.close)
        self._thread.shutdown(wait=False)

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(**self._connection.kafka_python(), **CONNECTION, **CONSUMER, **self._options)
        return self._consumer


class Consumers:
    """The instances of all groups, by group and name."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._instances: dict[tuple[str, str], Instance] = {}

    def count(self) -> int:
        """How many instances there are."""
        return len(self._instances)

    async def create(self, group: str, name: str | None, embedded: Embedded, options: Mapping[str, Any]) -> Instance:
        """A new instance. Raises ApiError: 409 where the group has one of that name, 429 where there are too many."""
        await self._remove_idle()
        name = name or f"rest-consumer-{uuid.uuid4()}"
        if (group, name) in self._instances:
            raise consumer_exists(group, name)
        if len(self._instances) >= MAX_INSTANCES:
            raise too_many_consumers(MAX_INSTANCES)
        instance = self._instances[group, name] = Instance(self._connection, group, name, embedded, options)
        return instance

    def find(self, group: str, name: str) -> Instance:
        """An instance. Raises ApiError 404 where there is none."""
        try:
            return self._instances[group, name]
        except KeyError:
            raise consumer_not_found(group, name) from None

    async def remove(self, group: str, name: str) -> None:
        """Remove an instance, which leaves its group. Raises ApiError 404 where there is none."""
        instance = self.find(group, name)
        del self._instances[group, name]
        await instance.close()

    async def close(self) -> None:
        """Remove all instances."""
        for group, name in list(self._instances):
            await self.remove(group, name)

    async def _remove_idle(self) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        for (group, name), instance in list(self._instances.items()):
            if instance.used < oldest:
                await self.remove(group, name)


def read(consumer: KafkaConsumer, timeout_seconds: float, max_bytes: int) -> list[ConsumerRecord]:
    """The next records, as soon as there are any, at most `max_bytes` of them but one at least; none after the timeout.

    What is not returned is read again next time: only what was returned is committed.

    Raises:
        IllegalStateError: the consumer has neither a subscription nor an assignment.
    """
    if not consumer.subscription() and not consumer.assignment():
        raise IllegalStateError("this instance reads nothing; give it a subscription or an assignment first")
    deadline = time.monotonic() + timeout_seconds
    while True:
        remaining = max(0.0, deadline - time.monotonic())
        polled = consumer.poll(timeout_ms=int(remaining * 1000))
        if polled or not remaining:
            return _within(consumer, polled, max_bytes)


def _within(
    consumer: KafkaConsumer, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]], max_bytes: int
) -> list[ConsumerRecord]:
    taken: list[ConsumerRecord] = []
    size = 0
    for partition, records in polled.items():
        for record in records:
            size += len(record.key or b"") + len(record.value or b"")
            if taken and size > max_bytes:
                consumer.seek(partition, record.offset)
                break
            taken.append(record)
    return taken
