"""The proxy's topic routes: which topics there are, and producing to one."""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import ApiError, unsupported
from pin_pipeline.gateway.http.backpressure import read_body
from pin_pipeline.gateway.http.direct_route import DirectRoute
from pin_pipeline.gateway.http.media_types import (
    BINARY_TYPES,
    JSON_TYPES,
    REPLY_TYPES,
    Embedded,
    embedded_as,
    reply_type,
)
from pin_pipeline.gateway.http.replies import reply
from pin_pipeline.gateway.kafka.broker import KafkaBroker
from pin_pipeline.gateway.kafka.produce import as_offsets, send_counted
from pin_pipeline.gateway.produce_request import read_records

router = APIRouter(tags=["topics"], route_class=DirectRoute)


def accepted_reply_type(request: Request) -> str:
    """The media type to reply in. Raises ApiError 406 where the caller takes none of the proxy's."""
    accept = request.headers.get("accept")
    chosen = reply_type(accept)
    if chosen is None:
        raise ApiError(406, 406, f"cannot reply in {accept!r}; the gateway replies in {', '.join(REPLY_TYPES)}")
    return chosen


def embedded_body(request: Request) -> Embedded:
    """How the records are embedded. Raises ApiError 415 where Content-Type says neither JSON nor binary."""
    content_type = request.headers.get("content-type")
    embedded = embedded_as(content_type)
    if embedded is None:
        raise unsupported(content_type, (*JSON_TYPES, *BINARY_TYPES))
    return embedded


@router.get("/topics", responses=openapi.LIST_TOPICS)
async def list_topics(request: Request) -> Response:
    """The names of all topics."""
    media_type = accepted_reply_type(request)
    return reply(await _broker(request).topics(), media_type)


@router.get("/topics/{topic}", responses=openapi.DESCRIBE_TOPIC)
async def describe_topic(topic: str, request: Request) -> Response:
    """A topic's partitions, their leaders and replicas."""
    media_type = accepted_reply_type(request)
    found = await _broker(request).topic(topic)
    partitions = [_partition(partition) for partition in found["partitions"]]
    partitions.sort(key=lambda partition: partition["partition"])
    return reply({"name": topic, "configs": {}, "partitions": partitions}, media_type)


@router.post(
    "/topics/{topic}",
    responses=openapi.PRODUCE,
    openapi_extra=openapi.PRODUCE_BODY,
)
async def produce(topic: str, request: Request) -> Response:
    """Append records to a topic; each key and value arrives in the JSON text it was sent in, or as its base64 says.

    200 says that all replicas have every record that got an offset. A record with an `error_code` was refused
    (50002: sending it again will not help, 50003: it may).
    """
    media_type, embedded = accepted_reply_type(request), embedded_body(request)
    body = await read_body(request)
    records = read_records(body, embedded)
    outcomes = await send_counted(request, topic, records, len(body))
    return reply({"offsets": as_offsets(outcomes), "key_schema_id": None, "value_schema_id": None}, media_type)


def _broker(request: Request) -> KafkaBroker:
    return cast("KafkaBroker", request.app.state.broker)


def _partition(partition: dict[str, Any]) -> dict[str, Any]:
    leader, in_sync = partition["leader_id"], partition["isr_nodes"]
    replicas = [
        {"broker": broker, "leader": broker == leader, "in_sync": broker in in_sync}
        for broker in partition["replica_nodes"]
    ]
    return {"partition": partition["partition_index"], "leader": leader, "replicas": replicas}
