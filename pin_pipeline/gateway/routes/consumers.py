"""The proxy's consumer routes: create an instance, subscribe it, read, commit, remove it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import OffsetAndMetadata
from pydantic import BaseModel, ConfigDict, Field

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import format_mismatch, illegal_state, not_deserialized, unprocessable, unsupported
from pin_pipeline.gateway.http.backpressure import BoundedRoute
from pin_pipeline.gateway.http.media_types import REPLY_TYPES, Embedded, media_type, takes_embedded
from pin_pipeline.gateway.http.replies import reply
from pin_pipeline.gateway.kafka.consumer_instances import DEFAULT_WAIT_MS, Consumers, Instance, read

LONGEST_WAIT_MS = 30_000
MAX_BYTES = 64 * 2**20
INSTANCE = "/consumers/{group}/instances/{name}"


async def body_type(request: Request) -> None:
    """Raises ApiError 415 where a body is in none of the proxy's types."""
    content_type = request.headers.get("content-type")
    if content_type is not None and media_type(content_type) not in REPLY_TYPES:
        raise unsupported(content_type, REPLY_TYPES)


router = APIRouter(tags=["consumers"], dependencies=[Depends(body_type)], route_class=BoundedRoute)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewConsumer(_Body):
    """How to consume."""

    name: str | None = Field(None, min_length=1, description="Name in the group; made up where it is not given.")
    format: Embedded = Field(Embedded.BINARY, description="How keys and values are embedded in the replies.")
    auto_offset_reset: Literal["earliest", "latest", "none"] = Field(
        "latest", alias="auto.offset.reset", description="Where to begin where the group has committed nothing."
    )
    auto_commit_enable: bool = Field(
        True, alias="auto.commit.enable", description="Commit by and by what was read, without being asked."
    )
    fetch_min_bytes: int = Field(1, alias="fetch.min.bytes", ge=1, description="Wait until there are so many bytes.")
    wait_ms: int = Field(
        DEFAULT_WAIT_MS,
        alias="consumer.request.timeout.ms",
        ge=0,
        le=LONGEST_WAIT_MS,
        description="Milliseconds to wait for records where a request does not say.",
    )


class Subscription(_Body):
    """What to subscribe to: topics by name, or all that match a pattern."""

    topics: list[str] | None = Field(None, min_length=1)
    topic_pattern: str | None = Field(None, min_length=1)


class PartitionRef(_Body):
    """A partition of a topic."""

    topic: str
    partition: int = Field(ge=0)


class Partitions(_Body):
    """Some partitions."""

    partitions: list[PartitionRef]


class Offset(PartitionRef):
    """A position in a partition."""

    offset: int = Field(ge=0)
    metadata: str | None = None


class Offsets(_Body):
    """Some positions."""

    offsets: list[Offset]


def consumers_of(request: Request) -> Consumers:
    """The instances of this gateway."""
    return cast("Consumers", request.app.state.consumers)


async def instance_of(group: str, name: str, request: Request) -> Instance:
    """The instance that the path names. Raises ApiError 404 where there is none."""
    return consumers_of(request).find(group, name)


AnInstance = Annotated[Instance, Depends(instance_of)]


@router.post("/consumers/{group}", responses=openapi.CREATE_CONSUMER)
async def create_consumer(group: str, consumer: NewConsumer, request: Request) -> Response:
    """Create an instance of a group. It is removed when asked to, or after five minutes without a request."""
    options = {
        "auto_offset_reset": consumer.auto_offset_reset,
        "enable_auto_commit": consumer.auto_commit_enable,
        "fetch_min_bytes": consumer.fetch_min_bytes,
    }
    instance = await consumers_of(request).create(group, consumer.name, consumer.format, options)
    instance.wait_ms = consumer.wait_ms
    path = request.url_for("remove_consumer", group=group, name=instance.name)
    return reply({"instance_id": instance.name, "base_uri": str(path)})


@router.delete(INSTANCE, status_code=204, responses=openapi.OF_INSTANCE)
async def remove_consumer(group: str, name: str, request: Request) -> None:
    """Remove an instance, which leaves its group."""
    await consumers_of(request).remove(group, name)


@router.post(f"{INSTANCE}/subscription", status_code=204, responses=openapi.OF_INSTANCE)
async def subscribe(instance: AnInstance, subscription: Subscription) -> None:
    """Subscribe to topics, instead of those subscribed to before."""
    topics, pattern = subscription.topics, subscription.topic_pattern
    if (topics is None) == (pattern is None):
        raise unprocessable("the subscription names neither or both; expected either topics or topic_pattern")
    await instance.do(lambda consumer: consumer.subscribe(topics or (), pattern))


@router.get(f"{INSTANCE}/subscription", responses=openapi.OF_INSTANCE)
async def subscribed(instance: AnInstance) -> Response:
    """The topics subscribed to."""
    return reply({"topics": sorted(await instance.do(lambda consumer: consumer.subscription()) or ())})


@router.delete(f"{INSTANCE}/subscription", status_code=204, responses=openapi.OF_INSTANCE)
async def unsubscribe(instance: AnInstance) -> None:
    """Subscribe to nothing, and read no partition."""
    await instance.do(lambda consumer: consumer.unsubscribe())


@router.post(f"{INSTANCE}/assignments", status_code=204, responses=openapi.OF_INSTANCE)
async def assign(instance: AnInstance, assignment: Partitions) -> None:
    """Read these partitions and no others, whoever else in the group reads them."""
    await instance.do(lambda consumer: consumer.assign(_partitions(assignment.partitions)))


@router.get(f"{INSTANCE}/assignments", responses=openapi.OF_INSTANCE)
async def assigned(instance: AnInstance) -> Response:
    """The partitions that are read."""
    partitions = sorted(await instance.do(lambda consumer: consumer.assignment()))
    return reply({"partitions": [partition._asdict() for partition in partitions]})


@router.get(f"{INSTANCE}/records", responses=openapi.READ_RECORDS)
async def records(
    instance: AnInstance,
    request: Request,
    timeout: Annotated[
        int | None,
        Query(ge=0, le=LONGEST_WAIT_MS, description="Milliseconds to wait for records; else the consumer's."),
    ] = None,
    max_bytes: Annotated[
        int, Query(ge=1, le=MAX_BYTES, description="Bytes of keys and values; one record at least.")
    ] = (MAX_BYTES),
) -> Response:
    """The next records of what is subscribed to or assigned; none where none come in time."""
    accept = request.headers.get("accept")
    if not takes_embedded(accept, instance.embedded):
        raise format_mismatch(accept, instance.embedded)
    wait_ms = instance.wait_ms if timeout is None else timeout
    found = await instance.do(lambda consumer: read(consumer, wait_ms / 1000, max_bytes))
    return reply([_embedded(record, instance.embedded) for record in found], instance.embedded.media_type)


@router.post(f"{INSTANCE}/offsets", responses=openapi.OF_INSTANCE)
async def commit(instance: AnInstance, offsets: Offsets | None = None) -> Response:
    """Commit these offsets, or, without a body, all that was read."""
    # Kafka commits where to read on, the proxy's clients say what they have read last.
    read_last = None if offsets is None else offsets.offsets
    following = read_last and {
        TopicPartition(at.topic, at.partition): OffsetAndMetadata(at.offset + 1, at.metadata or "", -1)
        for at in read_last
    }
    await instance.do(lambda consumer: consumer.commit(following))
    return reply({})


@router.get(f"{INSTANCE}/offsets", responses=openapi.OF_INSTANCE)
async def committed(instance: AnInstance, partitions: Partitions) -> Response:
    """What the group has committed of these partitions; those of which it has committed nothing are left out."""
    asked = _partitions(partitions.partitions)
    found = await instance.do(lambda consumer: [(each, consumer.committed(each, metadata=True)) for each in asked])
    offsets = [
        {**partition._asdict(), "offset": at.offset, "metadata": at.metadata}
        for partition, at in found
        if at is not None
    ]
    return reply({"offsets": offsets})


@router.post(f"{INSTANCE}/positions", status_code=204, responses=openapi.OF_INSTANCE)
async def seek(instance: AnInstance, positions: Offsets) -> None:
    """Read on from these offsets."""

    def seek_each(consumer: KafkaConsumer) -> None:
        for position in positions.offsets:
            consumer.seek(TopicPartition(position.topic, position.partition), position.offset)

    await _in_assigned(instance, positions.offsets, seek_each)


@router.post(f"{INSTANCE}/positions/beginning", status_code=204, responses=openapi.OF_INSTANCE)
async def seek_to_beginning(instance: AnInstance, partitions: Partitions) -> None:
    """Read these partitions from their beginning."""
    wanted = _partitions(partitions.partitions)
    await _in_assigned(instance, partitions.partitions, lambda consumer: consumer.seek_to_beginning(*wanted))


@router.post(f"{INSTANCE}/positions/end", status_code=204, responses=openapi.OF_INSTANCE)
async def seek_to_end(instance: AnInstance, partitions: Partitions) -> None:
    """Read of these partitions only what comes from now on."""
    wanted = _partitions(partitions.partitions)
    await _in_assigned(instance, partitions.partitions, lambda consumer: consumer.seek_to_end(*wanted))


async def _in_assigned(
    instance: Instance, wanted: Iterable[PartitionRef], action: Callable[[KafkaConsumer], None]
) -> None:
    """Do something with partitions that the consumer reads. Raises ApiError 409 where it does not read all of them."""

    def do(consumer: KafkaConsumer) -> None:
        if missing := set(_partitions(wanted)) - consumer.assignment():
            raise illegal_state(f"{min(missing)} is not assigned to this instance")
        action(consumer)

    await instance.do(do)


def _partitions(partitions: Iterable[PartitionRef]) -> list[TopicPartition]:
    return [TopicPartition(each.topic, each.partition) for each in partitions]


def _embedded(record: ConsumerRecord, embedded: Embedded) -> dict[str, Any]:
    where = f"{record.topic}/{record.partition} at offset {record.offset}"
    key, value = (_text(part, embedded, where) for part in (record.key, record.value))
    return {
        "topic": record.topic,
        "key": key,
        "value": value,
        "partition": record.partition,
        "offset": record.offset,
    }


def _text(part: bytes | None, embedded: Embedded, where: str) -> object:
    """A key or a value as it stands in a reply: JSON in the very text that is on the topic, or base64."""
    if part is None:
        return None
    if embedded is Embedded.BINARY:
        return base64.b64encode(part).decode()
    try:
        orjson.loads(part)
    except orjson.JSONDecodeError as error:
        raise not_deserialized(where, str(error)) from error
    return orjson.Fragment(part)
