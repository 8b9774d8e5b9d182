"""Partition and broker routes of the Kafka REST API."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import partition_not_found, unprocessable
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.produce_request import ProduceRecord, parse_records
from pin_pipeline.gateway.routes.produce import record_offsets, send_records
from pin_pipeline.gateway.routes.topics import (
    EXAMPLE_TOPIC,
    PRODUCE_BODY,
    PRODUCE_RESPONSES,
    ProduceResponse,
    TopicPartitionDescription,
    broker_of,
    describe_partition,
    embedded_format_of,
    response_type_of,
)

PARTITIONS = "/topics/{topic:segment}/partitions"

router = APIRouter(tags=["topics"])


class PartitionOffsets(msgspec.Struct):
    """Offset of the first record of a partition, and the offset that its next record will have."""

    beginning_offset: int
    end_offset: int


class Brokers(msgspec.Struct):
    """Numbers of the brokers."""

    brokers: list[int]


ERRORS: openapi.Responses = {
    **openapi.TOPIC_NOT_FOUND,
    **openapi.NOT_ACCEPTABLE,
    **openapi.UNAVAILABLE,
}
[EXAMPLE_PARTITION] = EXAMPLE_TOPIC.partitions
PARTITION = openapi.response("The partition.", EXAMPLE_PARTITION)
LIST = openapi.response("The partitions.", [EXAMPLE_PARTITION], model=list[TopicPartitionDescription])
OFFSETS = openapi.response("The offsets.", PartitionOffsets(0, 18))
BROKERS = openapi.response("The brokers.", Brokers([1]))


@router.get(PARTITIONS, responses={200: LIST, **ERRORS})
async def list_partitions(topic: str, request: Request) -> Response:
    """List the partitions of a topic, with their leaders and replicas."""
    response_type = response_type_of(request)
    return json_response(await _partitions(topic, request), response_type)


@router.get(f"{PARTITIONS}/{{partition}}", responses={200: PARTITION, **ERRORS})
async def get_partition(topic: str, partition: int, request: Request) -> Response:
    """Describe one partition of a topic."""
    response_type = response_type_of(request)
    return json_response(await _partition(topic, partition, request), response_type)


@router.get(f"{PARTITIONS}/{{partition}}/offsets", responses={200: OFFSETS, **ERRORS})
async def get_offsets(topic: str, partition: int, request: Request) -> Response:
    """Return the offsets at which a partition begins and ends."""
    response_type = response_type_of(request)
    await _partition(topic, partition, request)
    beginning, end = await broker_of(request).offsets(topic, partition)
    return json_response(PartitionOffsets(beginning, end), response_type)


@router.post(f"{PARTITIONS}/{{partition}}", responses=PRODUCE_RESPONSES, openapi_extra=PRODUCE_BODY)
async def produce_to_partition(topic: str, partition: int, request: Request) -> Response:
    """Append records to one partition of a topic; the records themselves name none."""
    response_type, embedded_format = response_type_of(request), embedded_format_of(request)
    body = await read_body(request)
    records = parse_records(body, embedded_format)
    if any(record.partition is not None for record in records):
        raise unprocessable("invalid request body: a record names a partition, but the path does already")
    await _partition(topic, partition, request)
    placed = [ProduceRecord(record.value, record.key, partition) for record in records]
    results = await send_records(request, topic, placed, len(body))
    return json_response(ProduceResponse(record_offsets(results)), response_type)


@router.get("/brokers", responses={200: BROKERS, **openapi.NOT_ACCEPTABLE, **openapi.UNAVAILABLE})
async def list_brokers(request: Request) -> Response:
    """List the numbers of the brokers."""
    response_type = response_type_of(request)
    return json_response(Brokers(await broker_of(request).list_brokers()), response_type)


async def _partitions(topic: str, request: Request) -> list[TopicPartitionDescription]:
    metadata = await broker_of(request).describe_topic(topic)
    return sorted(map(describe_partition, metadata["partitions"]), key=lambda described: described.partition)


async def _partition(topic: str, number: int, request: Request) -> TopicPartitionDescription:
    """Return one partition. Raises ApiError 404 if the topic or the partition does not exist."""
    partitions = await _partitions(topic, request)
    if not 0 <= number < len(partitions):
        raise partition_not_found(topic, number, len(partitions))
    return partitions[number]
