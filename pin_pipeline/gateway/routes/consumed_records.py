"""Responses with consumed records, made on the thread of the consumer: the event loop does not wait for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial

import msgspec
import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.errors import illegal_state, record_not_json
from pin_pipeline.gateway.kafka.consumer_instances import ConsumerInstance
from pin_pipeline.gateway.kafka.polling import UnreadableRecordError, read_records
from pin_pipeline.gateway.routes.consumer_models import ConsumedRecord


@dataclass(frozen=True)
class Page:
    """Records of one response.

    Attributes:
        body: the records as JSON.
        starts: offset of the first record of each partition.
    """

    body: bytes
    starts: dict[TopicPartition, int]


def read_page(consumer: KafkaConsumer, instance: ConsumerInstance, timeout_seconds: float, max_bytes: int) -> Page:
    """Read the next records of an instance.

    Raises:
        ApiError: 409 if the instance has neither a subscription nor an assignment, 500 if its format is json and the
            next record of a partition is not JSON, which does not move the position.
    """
    if instance.pattern is not None:
        instance.pattern.subscribe(consumer)
    elif not consumer.subscription() and not consumer.assignment():
        raise illegal_state("this instance has neither a subscription nor an assignment; create one first")
    convert = partial(_consumed_record, embedded_format=instance.embedded_format)
    try:
        records = read_records(consumer, convert, timeout_seconds, max_bytes)
    except UnreadableRecordError as error:
        raise record_not_json(str(error)) from error
    starts: dict[TopicPartition, int] = {}
    for record in records:
        starts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    return Page(msgspec.json.encode(records), starts)


def _consumed_record(record: ConsumerRecord, embedded_format: EmbeddedFormat) -> ConsumedRecord:
    """Return the response's form of a record. Raises UnreadableRecordError if it has none."""
    try:
        key, value = (_embed(part, embedded_format) for part in (record.key, record.value))
    except orjson.JSONDecodeError as error:
        location = f"{record.topic}/{record.partition} at offset {record.offset}"
        raise UnreadableRecordError(f"the record in {location} is not JSON: {error}") from error
    return ConsumedRecord(record.topic, key, value, record.partition, record.offset)


def _embed(part: bytes | None, embedded_format: EmbeddedFormat) -> object:
    """Embed a key or a value in a response: the exact JSON text on the topic, or base64."""
    if part is None:
        return None
    if embedded_format is EmbeddedFormat.BINARY:
        return base64.b64encode(part).decode()
    orjson.loads(part)  # raises unless it is JSON
    return msgspec.Raw(part)
