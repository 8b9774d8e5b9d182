"""Consumer instances of the Kafka REST API, which the gateway keeps between requests."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.errors import consumer_exists, consumer_not_found, too_many_consumers
from pin_pipeline.gateway.kafka.broker import CONNECTION
from pin_pipeline.gateway.kafka.broker_errors import consumer_error
from pin_pipeline.gateway.kafka.topic_pattern import TopicPattern
from pin_pipeline.kafka.connection import KafkaConnection

T = TypeVar("T")

IDLE_SECONDS = 300
"""An instance without a request for this time is removed, as in the Confluent REST Proxy."""
MAX_INSTANCES = 100
DEFAULT_WAIT_MS = 1000
MAX_FETCH_BYTES = 8 * 2**20
"""Bytes that an instance fetches at once; with Kafka's default of 50 MiB, a few instances would use up the memory."""
CONSUMER = {"allow_auto_create_topics": False, "fetch_max_bytes": MAX_FETCH_BYTES}


class ConsumerInstance:
    """Consumer in a group. Kafka's client is not thread-safe, so its calls run one at a time on one thread."""

    def __init__(
        self,
        connection: KafkaConnection,
        group: str,
        name: str,
        embedded_format: EmbeddedFormat,
        options: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.embedded_format = embedded_format
        self.last_used = time.monotonic()
        self.wait_ms = DEFAULT_WAIT_MS
        self.pattern: TopicPattern | None = None
        self._connection = connection
        self._consumer: KafkaConsumer | None = None
        self._options = {"group_id": group, **options}
        self._thread = ThreadPoolExecutor(1, f"consumer-{name}")

    async def run(self, action: Callable[[KafkaConsumer], T]) -> T:
        """Run an action with the consumer, which connects on first use.

        Raises:
            ApiError: 409 if the state of the consumer does not allow the action, 503 if the broker does not respond, or
                as `consumer_error`.
        """
        self.last_used = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: action(self._connected()))
        except KafkaError as error:
            raise consumer_error(self._connection.address, error) from error
        finally:
            self.last_used = time.monotonic()

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


class ConsumerInstances:
    """Consumer instances of all groups, by group and name."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._instances: dict[tuple[str, str], ConsumerInstance] = {}

    def count(self) -> int:
        """Return the number of instances."""
        return len(self._instances)

    async def create(
        self, group: str, name: str | None, embedded_format: EmbeddedFormat, options: Mapping[str, Any]
    ) -> ConsumerInstance:
        """Create an instance; its name is generated if missing.

        Raises:
            ApiError: 409 if the group already has an instance of this name, 429 if there are too many instances.
        """
        await self._remove_idle()
        name = name or f"rest-consumer-{uuid.uuid4()}"
        if (group, name) in self._instances:
            raise consumer_exists(group, name)
        if len(self._instances) >= MAX_INSTANCES:
            raise too_many_consumers(MAX_INSTANCES)
        instance = self._instances[group, name] = ConsumerInstance(
            self._connection, group, name, embedded_format, options
        )
        return instance

    def find(self, group: str, name: str) -> ConsumerInstance:
        """Return an instance. Raises ApiError 404 if it does not exist."""
        try:
            return self._instances[group, name]
        except KeyError:
            raise consumer_not_found(group, name) from None

    async def remove(self, group: str, name: str) -> None:
        """Remove an instance, which leaves its group. Raises ApiError 404 if it does not exist."""
        instance = self.find(group, name)
        del self._instances[group, name]
        await instance.close()

    async def close(self) -> None:
        """Remove all instances."""
        for group, name in list(self._instances):
            await self.remove(group, name)

    async def _remove_idle(self) -> None:
        idle_since = time.monotonic() - IDLE_SECONDS
        for (group, name), instance in list(self._instances.items()):
            if instance.last_used < idle_since:
                await self.remove(group, name)
