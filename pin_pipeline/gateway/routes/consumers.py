"""Consumer routes of the Kafka REST API: create an instance, subscribe, read, commit, seek, remove."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Annotated, cast

import msgspec
import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import OffsetAndMetadata

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.errors import (
    format_mismatch,
    illegal_state,
    record_not_json,
    unprocessable,
    unsupported_media_type,
)
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import RESPONSE_TYPES, accepts_format, media_type
from pin_pipeline.gateway.http.request_body import BoundedRoute
from pin_pipeline.gateway.kafka.consumer_instances import ConsumerInstance, ConsumerInstances, poll_records
from pin_pipeline.gateway.routes.consumer_models import (
    CREATE_CONSUMER,
    INSTANCE_ERRORS,
    MAX_WAIT_MS,
    READ_RECORDS,
    ConsumedRecord,
    CreateConsumerRequest,
    CreatedConsumer,
    OffsetsRequest,
    PartitionRef,
    PartitionsRequest,
    SubscriptionRequest,
)

MAX_BYTES = 64 * 2**20
INSTANCE = "/consumers/{group}/instances/{name}"


async def check_content_type(request: Request) -> None:
    """Raise ApiError 415 if a request has a Content-Type that the Kafka REST API does not define."""
    content_type = request.headers.get("content-type")
    if content_type is not None and media_type(content_type) not in RESPONSE_TYPES:
        raise unsupported_media_type(content_type, RESPONSE_TYPES)


router = APIRouter(tags=["consumers"], dependencies=[Depends(check_content_type)], route_class=BoundedRoute)


def consumer_instances(request: Request) -> ConsumerInstances:
    """Return the consumer instances of this gateway."""
    return cast("ConsumerInstances", request.app.state.consumers)


async def find_instance(group: str, name: str, request: Request) -> ConsumerInstance:
    """Return the instance that the path names. Raises ApiError 404 if it does not exist."""
    return consumer_instances(request).find(group, name)


Instance = Annotated[ConsumerInstance, Depends(find_instance)]


@router.post("/consumers/{group}", responses=CREATE_CONSUMER)
async def create_consumer(group: str, consumer: CreateConsumerRequest, request: Request) -> Response:
    """Create an instance in a group. It is removed on request, or after five minutes without a request."""
    options = {
        "auto_offset_reset": consumer.auto_offset_reset,
        "enable_auto_commit": consumer.auto_commit_enable,
        "fetch_min_bytes": consumer.fetch_min_bytes,
    }
    instance = await consumer_instances(request).create(group, consumer.name, consumer.format, options)
    instance.wait_ms = consumer.wait_ms
    base_uri = request.url_for("remove_consumer", group=group, name=instance.name)
    return json_response(CreatedConsumer(instance.name, str(base_uri)))


@router.delete(INSTANCE, status_code=204, responses=INSTANCE_ERRORS)
async def remove_consumer(group: str, name: str, request: Request) -> None:
    """Remove an instance, which leaves its group."""
    await consumer_instances(request).remove(group, name)


@router.post(f"{INSTANCE}/subscription", status_code=204, responses=INSTANCE_ERRORS)
async def subscribe(instance: Instance, subscription: SubscriptionRequest) -> None:
    """Subscribe to topics, which replaces the previous subscription."""
    topics, pattern = subscription.topics, subscription.topic_pattern
    if (topics is None) == (pattern is None):
        raise unprocessable("invalid subscription: expected either topics or topic_pattern")
    await instance.run(lambda consumer: consumer.subscribe(topics or (), pattern))


@router.get(f"{INSTANCE}/subscription", responses=INSTANCE_ERRORS)
async def get_subscription(instance: Instance) -> Response:
    """Return the topics of the subscription."""
    topics = await instance.run(lambda consumer: consumer.subscription())
    return json_response({"topics": sorted(topics or ())})


@router.delete(f"{INSTANCE}/subscription", status_code=204, responses=INSTANCE_ERRORS)
async def unsubscribe(instance: Instance) -> None:
    """Remove the subscription and the assignment."""
    await instance.run(lambda consumer: consumer.unsubscribe())


@router.post(f"{INSTANCE}/assignments", status_code=204, responses=INSTANCE_ERRORS)
async def assign(instance: Instance, assignment: PartitionsRequest) -> None:
    """Read exactly these partitions, independent of the other consumers of the group."""
    await instance.run(lambda consumer: consumer.assign(_topic_partitions(assignment.partitions)))


@router.get(f"{INSTANCE}/assignments", responses=INSTANCE_ERRORS)
async def get_assignment(instance: Instance) -> Response:
    """Return the partitions that the instance reads."""
    partitions = sorted(await instance.run(lambda consumer: consumer.assignment()))
    return json_response({"partitions": [partition._asdict() for partition in partitions]})


@router.get(f"{INSTANCE}/records", responses=READ_RECORDS)
async def read_records(
    instance: Instance,
    request: Request,
    timeout: Annotated[
        int | None,
        Query(ge=0, le=MAX_WAIT_MS, description="Milliseconds to wait for records; by default those of the consumer."),
    ] = None,
    max_bytes: Annotated[
        int, Query(ge=1, le=MAX_BYTES, description="Size of keys and values; at least one record is returned.")
    ] = (MAX_BYTES),
) -> Response:
    """Return the next records of the subscription or assignment; none if none arrive within the timeout."""
    accept = request.headers.get("accept")
    if not accepts_format(accept, instance.embedded_format):
        raise format_mismatch(accept, instance.embedded_format)
    wait_ms = instance.wait_ms if timeout is None else timeout
    polled = await instance.run(lambda consumer: poll_records(consumer, wait_ms / 1000, max_bytes))
    records = [_consumed_record(record, instance.embedded_format) for record in polled]
    return json_response(records, instance.embedded_format.media_type)


@router.post(f"{INSTANCE}/offsets", responses=INSTANCE_ERRORS)
async def commit(instance: Instance, offsets: OffsetsRequest | None = None) -> Response:
    """Commit the offsets in the body or, without a body, those of all records read."""
    # Kafka commits the next offset to read; clients of the REST API send the last offset they have read.
    last_read = None if offsets is None else offsets.offsets
    committed = last_read and {
        TopicPartition(last.topic, last.partition): OffsetAndMetadata(last.offset + 1, last.metadata or "", -1)
        for last in last_read
    }
    await instance.run(lambda consumer: consumer.commit(committed))
    return json_response({})


@router.get(f"{INSTANCE}/offsets", responses=INSTANCE_ERRORS)
async def committed_offsets(instance: Instance, partitions: PartitionsRequest) -> Response:
    """Return the committed offsets of the group; partitions without one are left out."""
    requested = _topic_partitions(partitions.partitions)
    committed = await instance.run(
        lambda consumer: [(partition, consumer.committed(partition, metadata=True)) for partition in requested]
    )
    offsets = [
        {**partition._asdict(), "offset": position.offset, "metadata": position.metadata}
        for partition, position in committed
        if position is not None
    ]
    return json_response({"offsets": offsets})


@router.post(f"{INSTANCE}/positions", status_code=204, responses=INSTANCE_ERRORS)
async def seek(instance: Instance, positions: OffsetsRequest) -> None:
    """Continue reading at these offsets."""

    def seek_each(consumer: KafkaConsumer) -> None:
        for position in positions.offsets:
            consumer.seek(TopicPartition(position.topic, position.partition), position.offset)

    await _run_if_assigned(instance, positions.offsets, seek_each)


@router.post(f"{INSTANCE}/positions/beginning", status_code=204, responses=INSTANCE_ERRORS)
async def seek_to_beginning(instance: Instance, partitions: PartitionsRequest) -> None:
    """Continue reading at the beginning of these partitions."""
    requested = _topic_partitions(partitions.partitions)
    await _run_if_assigned(instance, partitions.partitions, lambda consumer: consumer.seek_to_beginning(*requested))


@router.post(f"{INSTANCE}/positions/end", status_code=204, responses=INSTANCE_ERRORS)
async def seek_to_end(instance: Instance, partitions: PartitionsRequest) -> None:
    """Continue reading at the end of these partitions: only records produced later are returned."""
    requested = _topic_partitions(partitions.partitions)
    await _run_if_assigned(instance, partitions.partitions, lambda consumer: consumer.seek_to_end(*requested))


async def _run_if_assigned(
    instance: ConsumerInstance, partitions: Iterable[PartitionRef], action: Callable[[KafkaConsumer], None]
) -> None:
    """Run an action on partitions. Raises ApiError 409 unless all of them are assigned to the instance."""

    def run(consumer: KafkaConsumer) -> None:
        if missing := set(_topic_partitions(partitions)) - consumer.assignment():
            raise illegal_state(f"{min(missing)} is not assigned to this instance")
        action(consumer)

    await instance.run(run)


def _topic_partitions(partitions: Iterable[PartitionRef]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.partition) for partition in partitions]


def _consumed_record(record: ConsumerRecord, embedded_format: EmbeddedFormat) -> ConsumedRecord:
    location = f"{record.topic}/{record.partition} at offset {record.offset}"
    key, value = (_embed(part, embedded_format, location) for part in (record.key, record.value))
    return ConsumedRecord(record.topic, key, value, record.partition, record.offset)


def _embed(part: bytes | None, embedded_format: EmbeddedFormat, location: str) -> object:
    """Embed a key or a value in a response: the exact JSON text on the topic, or base64.

    Raises:
        ApiError: 500 if the consumer has format json, but the part is not JSON.
    """
    if part is None:
        return None
    if embedded_format is EmbeddedFormat.BINARY:
        return base64.b64encode(part).decode()
    try:
        orjson.loads(part)
    except orjson.JSONDecodeError as error:
        raise record_not_json(location, str(error)) from error
    return msgspec.Raw(part)
