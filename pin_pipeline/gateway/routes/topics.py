"""Topic routes of the Kafka REST API: list, describe, produce."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.errors import not_acceptable, unsupported_media_type
from pin_pipeline.gateway.http.direct_route import DirectRoute
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import (
    BINARY_TYPES,
    JSON_TYPES,
    RESPONSE_TYPES,
    format_of_content,
    preferred_response_type,
)
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.produce_request import BinaryProduceRequest, JsonProduceRequest, parse_records
from pin_pipeline.gateway.routes.produce import RecordOffset, record_offsets, send_records

router = APIRouter(tags=["topics"], route_class=DirectRoute)


class Replica(msgspec.Struct):
    """Replica of a partition on one broker."""

    broker: int
    leader: bool
    in_sync: bool


class TopicPartitionDescription(msgspec.Struct):
    """Partition of a topic, with the id of its leader."""

    partition: int
    leader: int
    replicas: list[Replica]


class TopicDescription(msgspec.Struct):
    """Topic as the Kafka REST API describes it; the gateway does not report configs."""

    name: str
    partitions: list[TopicPartitionDescription]
    configs: dict[str, str] = {}


class ProduceResponse(msgspec.Struct):
    """Result of each record, in order."""

    offsets: list[RecordOffset]
    key_schema_id: int | None = None
    value_schema_id: int | None = None


TOPIC_NAMES = openapi.response("The topic names.", ["pinterest.geo", "pinterest.pin"], model=list[str])
EXAMPLE_TOPIC = TopicDescription("pinterest.pin", [TopicPartitionDescription(0, 1, [Replica(1, True, True)])])
EXAMPLE_JSON = {
    "records": [{"value": {"ind": 7528, "country": "Albania"}}, {"key": 7528, "value": "text", "partition": 0}]
}
EXAMPLE_BINARY = {"records": [{"key": "NzUyOA==", "value": "eyJpbmQiOjc1Mjh9"}]}
PRODUCE_BODY = openapi.request_body(
    openapi.content(EXAMPLE_JSON, *JSON_TYPES, model=JsonProduceRequest)
    | openapi.content(EXAMPLE_BINARY, *BINARY_TYPES, model=BinaryProduceRequest)
)
PRODUCE_RESPONSES: openapi.Responses = {
    200: openapi.response("The result of each record, in order.", ProduceResponse([RecordOffset(0, 17)])),
    **openapi.NOT_JSON,
    **openapi.TOPIC_NOT_FOUND,
    **openapi.NOT_ACCEPTABLE,
    **openapi.TOO_LARGE,
    415: openapi.error_response(415, "The Content-Type is neither of JSON nor of binary records."),
    422: openapi.error_response(422, "The body is not a produce request."),
    **openapi.BUSY,
    **openapi.UNAVAILABLE,
}


@router.get("/topics", responses={200: TOPIC_NAMES, **openapi.NOT_ACCEPTABLE, **openapi.UNAVAILABLE})
async def list_topics(request: Request) -> Response:
    """List the names of all topics."""
    response_type = response_type_of(request)
    return json_response(await broker_of(request).list_topics(), response_type)


@router.get(
    "/topics/{topic:segment}",
    responses={
        200: openapi.response("The topic.", EXAMPLE_TOPIC),
        **openapi.TOPIC_NOT_FOUND,
        **openapi.NOT_ACCEPTABLE,
        **openapi.UNAVAILABLE,
    },
)
async def describe_topic(topic: str, request: Request) -> Response:
    """Describe the partitions of a topic, their leaders and replicas."""
    response_type = response_type_of(request)
    metadata = await broker_of(request).describe_topic(topic)
    partitions = [describe_partition(partition) for partition in metadata["partitions"]]
    partitions.sort(key=lambda described: described.partition)
    return json_response(TopicDescription(topic, partitions), response_type)


@router.post("/topics/{topic:segment}", responses=PRODUCE_RESPONSES, openapi_extra=PRODUCE_BODY)
async def produce(topic: str, request: Request) -> Response:
    """Append records to a topic. JSON keys and values keep the exact text they were sent in; binary ones are base64.

    With status 200, all in-sync replicas have each record that has an offset. A record with an `error_code` was
    refused: 50002 for good, 50003 if sending it again may succeed.
    """
    response_type, embedded_format = response_type_of(request), embedded_format_of(request)
    body = await read_body(request)
    results = await send_records(request, topic, parse_records(body, embedded_format), len(body))
    return json_response(ProduceResponse(record_offsets(results)), response_type)


def response_type_of(request: Request) -> str:
    """Return the media type of the response. Raises ApiError 406 if Accept allows none."""
    accept = request.headers.get("accept")
    response_type = preferred_response_type(accept)
    if response_type is None:
        raise not_acceptable(accept, RESPONSE_TYPES)
    return response_type


def embedded_format_of(request: Request) -> EmbeddedFormat:
    """Return the format of the records. Raises ApiError 415 if Content-Type names neither JSON nor binary."""
    content_type = request.headers.get("content-type")
    embedded_format = format_of_content(content_type)
    if embedded_format is None:
        raise unsupported_media_type(content_type, (*JSON_TYPES, *BINARY_TYPES))
    return embedded_format


def broker_of(request: Request) -> KafkaBroker:
    """Return the client of the Kafka cluster."""
    return cast("KafkaBroker", request.app.state.broker)


def describe_partition(partition: dict[str, Any]) -> TopicPartitionDescription:
    """Describe a partition that the broker reported."""
    leader, in_sync = partition["leader_id"], partition["isr_nodes"]
    replicas = [Replica(broker, broker == leader, broker in in_sync) for broker in partition["replica_nodes"]]
    return TopicPartitionDescription(partition["partition_index"], leader, replicas)
