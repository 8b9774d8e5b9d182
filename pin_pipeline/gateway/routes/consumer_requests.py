"""Requests of the consumer routes: their bodies, and the checks that need the consumer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from fastapi import Request
from kafka import KafkaConsumer, TopicPartition

from pin_pipeline.gateway.errors import (
    illegal_state,
    partition_not_found,
    topic_not_found,
    unprocessable,
    unsupported_media_type,
)
from pin_pipeline.gateway.http.media_types import RESPONSE_TYPES, is_consumer_type
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.json_body import decode
from pin_pipeline.gateway.routes import consumer_models as models

T = TypeVar("T")

MAX_BODY_BYTES = 512 * 2**10


async def read_model(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """Read and decode the body of a request.

    Raises:
        ApiError: 415 if it has a Content-Type that the Kafka REST API does not define, or as `read_body` and `decode`.
    """
    body = await read_body(request, MAX_BODY_BYTES)
    content_type = request.headers.get("content-type")
    if body and content_type is not None and not is_consumer_type(content_type):
        raise unsupported_media_type(content_type, RESPONSE_TYPES)
    return decode(decoder, body)


async def read_optional_model(request: Request, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Read and decode the body of a request; None if it has none. Raises ApiError as `read_model`."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return None
    return await read_model(request, decoder)


def check_assignment(consumer: KafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
    """Raise ApiError 409 unless all partitions are assigned to the consumer."""
    if missing := set(partitions) - consumer.assignment():
        name, number = min(missing)
        raise illegal_state(f"partition {number} of topic {name!r} is not assigned to this instance")


def check_existence(consumer: KafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
    """Raise ApiError 404 unless all partitions exist; Kafka's client would wait for them."""
    for topic in {partition.topic for partition in partitions}:
        existing = consumer.partitions_for_topic(topic)
        if not existing:
            raise topic_not_found(topic)
        if missing := {partition.partition for partition in partitions if partition.topic == topic} - existing:
            raise partition_not_found(topic, min(missing), len(existing))


def topic_names(topics: list[str]) -> list[str]:
    """Return the distinct topics. Raises ApiError 422 if a name is invalid: a match costs more than decoding does."""
    try:
        return list(dict.fromkeys(msgspec.convert(topics, list[models.TopicName])))
    except msgspec.ValidationError as error:
        raise unprocessable(f"invalid request body: {error}".replace("`$[", "`$.topics[")) from error


def topic_partitions(partitions: Iterable[models.PartitionRef]) -> list[TopicPartition]:
    """Return partitions as Kafka's client has them."""
    return [TopicPartition(partition.topic, partition.partition) for partition in partitions]


def capped(value: int, default: int, maximum: int) -> int:
    """Return a number of the caller, up to the maximum; the default for a negative number."""
    return default if value < 0 else min(value, maximum)
