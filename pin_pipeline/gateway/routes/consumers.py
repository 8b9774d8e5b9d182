"""Consumer routes of the Kafka REST API: create an instance, subscribe, read, commit, seek, remove."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar, cast

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.errors import (
    format_mismatch,
    unprocessable,
)
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import accepts_format
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.kafka.consumer_instances import DEFAULT_WAIT_MS, ConsumerInstance, ConsumerInstances
from pin_pipeline.gateway.kafka.polling import rewind
from pin_pipeline.gateway.kafka.topic_pattern import TopicPattern
from pin_pipeline.gateway.routes import consumer_models as models
from pin_pipeline.gateway.routes.consumed_records import read_page
from pin_pipeline.gateway.routes.consumer_requests import (
    MAX_BODY_BYTES,
    capped,
    check_assignment,
    check_existence,
    read_model,
    read_optional_model,
    topic_names,
    topic_partitions,
)

T = TypeVar("T")

MAX_RESPONSE_BYTES = 10 * 2**20
"""Payload limit of API Gateway, for keys and values."""
COMMIT_MS = 5_000
INSTANCE = "/consumers/{group:segment}/instances/{name:segment}"

_CREATE = msgspec.json.Decoder(models.CreateConsumerRequest, strict=False)  # clients send "false" for false
_SUBSCRIPTION = msgspec.json.Decoder(models.SubscriptionRequest)
_ASSIGNMENT = msgspec.json.Decoder(models.AssignmentRequest)
_PARTITIONS = msgspec.json.Decoder(models.PartitionsRequest)
_OFFSETS = msgspec.json.Decoder(models.OffsetsRequest)

router = APIRouter(tags=["consumers"])


def consumer_instances(request: Request) -> ConsumerInstances:
    """Return the consumer instances of this gateway."""
    return cast("ConsumerInstances", request.app.state.consumers)


async def find_instance(group: str, name: str, request: Request) -> ConsumerInstance:
    """Return the instance that the path names. Raises ApiError 404 if it does not exist."""
    return consumer_instances(request).find(group, name)


Instance = Annotated[ConsumerInstance, Depends(find_instance)]


@router.post("/consumers/{group:segment}", responses=models.CREATE_CONSUMER, openapi_extra=models.CREATE_BODY)
async def create_consumer(group: str, request: Request) -> Response:
    """Create an instance in a group. It is removed on request, or after five minutes without a request."""
    wanted = await read_optional_model(request, _CREATE) or models.CreateConsumerRequest()
    options = {
        "auto_offset_reset": wanted.auto_offset_reset,
        "enable_auto_commit": wanted.auto_commit_enable,
        "fetch_min_bytes": max(1, wanted.fetch_min_bytes),
    }
    embedded_format = EmbeddedFormat(wanted.format)
    instance = await consumer_instances(request).create(group, wanted.name, embedded_format, options)
    instance.wait_ms = capped(wanted.wait_ms, DEFAULT_WAIT_MS, models.MAX_WAIT_MS)
    base_uri = request.url_for("remove_consumer", group=group, name=instance.name)
    return json_response(models.CreatedConsumer(instance.name, str(base_uri)))


@router.delete(INSTANCE, status_code=204, responses=models.INSTANCE_ERRORS)
async def remove_consumer(group: str, name: str, request: Request) -> None:
    """Remove an instance, which leaves its group."""
    await consumer_instances(request).remove(group, name)


@router.post(
    f"{INSTANCE}/subscription",
    status_code=204,
    responses=models.INSTANCE_ERRORS,
    openapi_extra=models.SUBSCRIPTION_BODY,
)
async def subscribe(instance: Instance, request: Request) -> None:
    """Subscribe to topics, which replaces the previous subscription."""
    wanted = await read_model(request, _SUBSCRIPTION)
    if wanted.topic_pattern is not None and wanted.topics is None:
        pattern = TopicPattern(wanted.topic_pattern)
        await instance.run(pattern.subscribe)
        instance.pattern = pattern
    elif wanted.topics is not None and wanted.topic_pattern is None:
        topics = topic_names(wanted.topics)
        await instance.run(lambda consumer: consumer.subscribe(topics))
        instance.pattern = None
    else:
        raise unprocessable("invalid subscription: expected either topics or topic_pattern")


@router.get(f"{INSTANCE}/subscription", responses=models.INSTANCE_ERRORS)
async def get_subscription(instance: Instance) -> Response:
    """Return the topics of the subscription."""
    topics = await instance.run(lambda consumer: consumer.subscription())
    return json_response({"topics": sorted(topics or ())})


@router.delete(f"{INSTANCE}/subscription", status_code=204, responses=models.INSTANCE_ERRORS)
async def unsubscribe(instance: Instance) -> None:
    """Remove the subscription and the assignment."""
    instance.pattern = None
    await instance.run(lambda consumer: consumer.unsubscribe())


@router.post(
    f"{INSTANCE}/assignments", status_code=204, responses=models.INSTANCE_ERRORS, openapi_extra=models.ASSIGNMENT_BODY
)
async def assign(instance: Instance, request: Request) -> None:
    """Read exactly these partitions, independent of the other consumers of the group."""
    wanted = topic_partitions((await read_model(request, _ASSIGNMENT)).partitions)

    def assign_existing(consumer: KafkaConsumer) -> None:
        check_existence(consumer, wanted)
        consumer.assign(wanted)

    await instance.run(assign_existing)


@router.get(f"{INSTANCE}/assignments", responses=models.INSTANCE_ERRORS)
async def get_assignment(instance: Instance) -> Response:
    """Return the partitions that the instance reads."""
    partitions = sorted(await instance.run(lambda consumer: consumer.assignment()))
    return json_response({"partitions": [partition._asdict() for partition in partitions]})


@router.get(f"{INSTANCE}/records", responses=models.READ_RECORDS)
async def read_records(
    instance: Instance,
    request: Request,
    timeout: Annotated[
        int,
        Query(
            ge=-1,
            description=f"Milliseconds to wait for records, at most {models.MAX_WAIT_MS}; -1 for the default.",
        ),
    ] = -1,
    max_bytes: Annotated[
        int,
        Query(
            ge=-1,
            description=f"Size of keys and values, at most {MAX_RESPONSE_BYTES}; -1 for this maximum. At least one"
            " record is returned.",
        ),
    ] = -1,
) -> Response:
    """Return the next records of the subscription or assignment; none if none arrive within the timeout.

    Records that are not returned, because the response would be too large or the client has disconnected, are read
    again.
    """
    accept = request.headers.get("accept")
    if not accepts_format(accept, instance.embedded_format):
        raise format_mismatch(accept, instance.embedded_format)
    await read_body(request, MAX_BODY_BYTES)  # so that the next event of the connection is its end
    wait_ms = capped(timeout, instance.wait_ms, models.MAX_WAIT_MS)
    size = capped(max_bytes, MAX_RESPONSE_BYTES, MAX_RESPONSE_BYTES)
    if size == 0:
        raise unprocessable("query.max_bytes: expected -1, or at least 1")
    page = await instance.run(lambda consumer: read_page(consumer, instance, wait_ms / 1000, size))
    if await request.is_disconnected():
        await instance.run(lambda consumer: rewind(consumer, page.starts))
    return Response(page.body, media_type=instance.embedded_format.media_type)


@router.post(f"{INSTANCE}/offsets", responses=models.INSTANCE_ERRORS, openapi_extra=models.COMMIT_BODY)
async def commit(instance: Instance, request: Request) -> Response:
    """Commit the offsets in the body or, without a body, those of all records read."""
    last_read = await read_optional_model(request, _OFFSETS)

    def commit_offsets(consumer: KafkaConsumer) -> None:
        if last_read is None:
            consumer.commit(timeout_ms=COMMIT_MS)
            return
        partitions = topic_partitions(last_read.offsets)
        check_existence(consumer, partitions)
        if consumer.subscription():
            check_assignment(consumer, partitions)
        # Kafka commits the next offset to read; clients of the REST API send the last offset they have read.
        positions = [OffsetAndMetadata(last.offset + 1, last.metadata or "", -1) for last in last_read.offsets]
        consumer.commit(dict(zip(partitions, positions, strict=True)), timeout_ms=COMMIT_MS)

    await instance.run(commit_offsets)
    return json_response({})


@router.get(f"{INSTANCE}/offsets", responses=models.INSTANCE_ERRORS, openapi_extra=models.PARTITIONS_BODY)
async def committed_offsets(instance: Instance, request: Request) -> Response:
    """Return the committed offsets of the group; partitions without one are left out."""
    requested = topic_partitions((await read_model(request, _PARTITIONS)).partitions)

    def committed(consumer: KafkaConsumer) -> list[tuple[TopicPartition, OffsetAndMetadata | None]]:
        check_existence(consumer, requested)
        return [(partition, consumer.committed(partition, metadata=True)) for partition in requested]

    offsets = [
        {**partition._asdict(), "offset": position.offset, "metadata": position.metadata}
        for partition, position in await instance.run(committed)
        if position is not None
    ]
    return json_response({"offsets": offsets})


@router.post(
    f"{INSTANCE}/positions", status_code=204, responses=models.INSTANCE_ERRORS, openapi_extra=models.OFFSETS_BODY
)
async def seek(instance: Instance, request: Request) -> None:
    """Continue reading at these offsets."""
    positions = (await read_model(request, _OFFSETS)).offsets
    partitions = topic_partitions(positions)

    def seek_each(consumer: KafkaConsumer) -> None:
        for partition, position in zip(partitions, positions, strict=True):
            consumer.seek(partition, position.offset)

    await _run_if_assigned(instance, partitions, seek_each)


@router.post(
    f"{INSTANCE}/positions/beginning",
    status_code=204,
    responses=models.INSTANCE_ERRORS,
    openapi_extra=models.PARTITIONS_BODY,
)
async def seek_to_beginning(instance: Instance, request: Request) -> None:
    """Continue reading at the beginning of these partitions."""
    requested = topic_partitions((await read_model(request, _PARTITIONS)).partitions)
    await _run_if_assigned(instance, requested, lambda consumer: consumer.seek_to_beginning(*requested))


@router.post(
    f"{INSTANCE}/positions/end", status_code=204, responses=models.INSTANCE_ERRORS, openapi_extra=models.PARTITIONS_BODY
)
async def seek_to_end(instance: Instance, request: Request) -> None:
    """Continue reading at the end of these partitions: only records produced later are returned."""
    requested = topic_partitions((await read_model(request, _PARTITIONS)).partitions)
    await _run_if_assigned(instance, requested, lambda consumer: consumer.seek_to_end(*requested))


async def _run_if_assigned(
    instance: ConsumerInstance, partitions: Iterable[TopicPartition], action: Callable[[KafkaConsumer], None]
) -> None:
    def run(consumer: KafkaConsumer) -> None:
        check_assignment(consumer, partitions)
        action(consumer)

    await instance.run(run)
