"""Kafka cluster behind the gateway: topic metadata, and sending records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import KafkaError as DeliveryError
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import InvalidTopicError, KafkaError, UnknownTopicOrPartitionError, for_code

from pin_pipeline.gateway.errors import partition_not_found, topic_not_found
from pin_pipeline.gateway.kafka.broker_errors import broker_error, broker_unavailable, is_retriable
from pin_pipeline.gateway.kafka.partitions import choose_partitions
from pin_pipeline.gateway.kafka.producer import DeliveryResult, Producer
from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.kafka.connection import KafkaConnection

T = TypeVar("T")

RESPONSE_TIMEOUT_MS = 2000
PARTITION_COUNT_TTL_SECONDS = 30
"""Time for which the partition count of a topic is cached: partitions may be added, and topics deleted."""
CONNECTION = {
    "client_id": "pin-pipeline-gateway",
    "bootstrap_timeout_ms": RESPONSE_TIMEOUT_MS,
    "reconnect_backoff_max_ms": 500,
}
EARLIEST, LATEST = -2, -1
"""Timestamps that stand for the first and the next offset in a ListOffsets request."""
ADMIN = {"request_timeout_ms": RESPONSE_TIMEOUT_MS}


class KafkaBroker:
    """Client of the Kafka cluster. Every method raises ApiError 503 if the cluster does not respond in time.

    It connects on first use and again after a failure, so the gateway can start before its broker.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self.connection = connection
        self._connecting: asyncio.Future[KafkaAdminClient] | None = None
        self._producer = Producer(connection)
        self._partition_counts: dict[str, tuple[int, float]] = {}
        # The admin client is not thread-safe.
        self._admin_thread = ThreadPoolExecutor(1, "kafka-admin")

    async def list_topics(self) -> list[str]:
        """Return the names of all topics, sorted."""
        return sorted(await self._call_admin(lambda admin: admin.list_topics()))

    async def describe_topic(self, name: str) -> dict[str, Any]:
        """Return the metadata of a topic as the broker reports it.

        Raises:
            ApiError: 404 if the topic does not exist.
        """
        [topic] = await self._call_admin(lambda admin: admin.describe_topics([name]))
        error = for_code(topic["error_code"])
        if error in (UnknownTopicOrPartitionError, InvalidTopicError):
            raise topic_not_found(name)
        if topic["error_code"]:
            raise broker_error(self.connection.address, error(name))
        return dict(topic)

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition, and the offset that its next record will have."""
        key = TopicPartition(topic, partition)
        first = await self._call_admin(lambda admin: admin.list_partition_offsets({key: EARLIEST}))
        end = await self._call_admin(lambda admin: admin.list_partition_offsets({key: LATEST}))
        return first[key].offset, end[key].offset

    async def list_brokers(self) -> list[int]:
        """Return the numbers of the brokers, sorted."""
        cluster = await self._call_admin(lambda admin: admin.describe_cluster())
        return sorted(broker["broker_id"] for broker in cluster["brokers"])

    async def send(self, topic: str, records: Sequence[ProduceRecord]) -> list[DeliveryResult]:
        """Send records in order, and wait until all in-sync replicas have each of them, or its refusal is final.

        Raises:
            ApiError: 404 for an unknown topic or partition, before any record is sent.
        """
        count = await self._partition_count(topic)
        for record in records:
            if record.partition is not None and record.partition >= count:
                raise partition_not_found(topic, record.partition, count)
        partitions = choose_partitions(topic, records, count)
        results = await self._producer.send(topic, records, partitions)
        refused = [number for number, result in enumerate(results) if isinstance(result, DeliveryError)]
        for number in refused:
            # If one record is too large, the broker refuses all records of its batch: send each of them alone.
            if len(records) > 1 and _is_too_large(results[number]):
                [results[number]] = await self._producer.send(topic, [records[number]], [partitions[number]])
        errors = [result for number in refused if isinstance(result := results[number], DeliveryError)]
        if errors:
            self._partition_counts.pop(topic, None)
        if len(errors) == len(results) and all(map(is_retriable, errors)):
            raise broker_unavailable(self.connection.address, errors[0].str())
        return results

    async def close(self) -> None:
        """Close the connections, after records in flight are delivered or refused."""
        await asyncio.to_thread(self._producer.close)
        if self._connecting is None:
            return
        with suppress(KafkaError):
            admin = await self._connecting
            await asyncio.to_thread(admin.close)

    async def _partition_count(self, topic: str) -> int:
        """Return the partition count of a topic. Raises ApiError 404 if the topic does not exist."""
        count, expires_at = self._partition_counts.get(topic, (0, 0.0))
        if time.monotonic() > expires_at:
            count = len((await self.describe_topic(topic))["partitions"])
            self._partition_counts[topic] = count, time.monotonic() + PARTITION_COUNT_TTL_SECONDS
        return count

    async def _call_admin(self, call: Callable[[KafkaAdminClient], T]) -> T:
        admin = await self._connected_admin()
        with self._translated_errors():
            async with asyncio.timeout(RESPONSE_TIMEOUT_MS / 1000):
                return await asyncio.get_running_loop().run_in_executor(self._admin_thread, call, admin)

    async def _connected_admin(self) -> KafkaAdminClient:
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
            raise broker_error(self.connection.address, error) from error
        except TimeoutError as error:
            reason = f"no response within {RESPONSE_TIMEOUT_MS} ms"
            raise broker_unavailable(self.connection.address, reason) from error


def _is_too_large(result: DeliveryResult) -> bool:
    return isinstance(result, DeliveryError) and result.code() == DeliveryError.MSG_SIZE_TOO_LARGE
