"""Helpers that write records to topics and read them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kafka import KafkaProducer

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.settings import Settings


def produce(
    settings: Settings, record_type: str, values: Sequence[Any], partition: int = 0, at: datetime | None = None
) -> None:
    """Write values to the topic of a record type: bytes and None unchanged, other values as JSON.

    Args:
        partition: partition of all values.
        at: timestamp of the records; by default the current time.
    """
    milliseconds = None if at is None else int(at.timestamp() * 1000)
    producer = KafkaProducer(**settings.kafka.kafka_python(), acks="all")
    try:
        for value in values:
            raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
            producer.send(settings.topic(record_type), raw, key=b"1", partition=partition, timestamp_ms=milliseconds)
        producer.flush()
    finally:
        producer.close()


def produce_in_transaction(settings: Settings, record_type: str, values: Sequence[bytes], *, commit: bool) -> None:
    """Write values to partition 0 in one transaction, whose end takes an offset as well."""
    producer = KafkaProducer(**settings.kafka.kafka_python(), transactional_id=f"{settings.prefix}-{record_type}")
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for value in values:
            producer.send(settings.topic(record_type), value, partition=0)
        producer.flush()
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    finally:
        producer.close()


def topic_records(connection: KafkaConnection, topic: str) -> dict[tuple[int, int], bytes | None]:
    """Return all values of a topic by partition and offset."""
    broker = BrokerReader(connection, topic)
    try:
        return {
            (partition, offset): value
            for partition in broker.partitions()
            for offset, value in broker.messages(partition, 0)
        }
    finally:
        broker.close()
