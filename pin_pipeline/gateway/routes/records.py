"""Routes for plain JSON records: `POST /pin/`, `/geo/` and `/user/`, validated before they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import singledispatch

import msgspec
from confluent_kafka import KafkaError as DeliveryError
from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import record_rejected
from pin_pipeline.gateway.http.direct_route import DirectRoute
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import JSON
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.json_body import decode_list, single_line
from pin_pipeline.gateway.kafka.broker_errors import record_refused
from pin_pipeline.gateway.kafka.producer import DeliveryResult
from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.gateway.routes.produce import RecordOffset, record_offsets, send_records
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp
from pin_pipeline.records.rules import Rejected, Validator

Endpoint = Callable[[Request], Awaitable[Response]]
MAX_RECORD_BYTES = 2**20
"""Kafka's default limit of a record."""
VALIDATION_SLICE_BYTES = 2**20
"""Bytes of a batch that are validated at once; then other requests have their turn."""


class PostedRecord(msgspec.Struct):
    """Topic, partition and offset of a record."""

    topic: str
    partition: int
    offset: int


class PostedBatch(msgspec.Struct):
    """Topic of a batch, and the result of each record, in order."""

    topic: str
    offsets: list[RecordOffset]


ERRORS: openapi.Responses = {
    **openapi.NOT_JSON,
    **openapi.TOO_LARGE,
    422: openapi.error_response(422, "A record fails validation, or the broker refuses it."),
    **openapi.BUSY,
    **openapi.UNAVAILABLE,
}
POSTED_RECORD = openapi.response("The position of the record.", PostedRecord("pinterest.pin", 0, 17), JSON)
POSTED_BATCH = openapi.response(
    "The result of each record, in order.", PostedBatch("pinterest.pin", [RecordOffset(0, 17)]), JSON
)


def create_router(record_types: dict[str, RecordType] = RECORD_TYPES) -> APIRouter:
    """Create two routes per record type: for one record, and for a batch."""
    router = APIRouter(tags=["posts"], route_class=DirectRoute)
    for record_type in record_types.values():
        name, schema = record_type.name, record_schema(record_type)
        post_record, post_batch = _post_record(record_type), _post_batch(record_type)
        router.add_api_route(
            f"/{name}/",
            post_record,
            methods=["POST"],
            name=f"post_{name}",
            summary=f"Post a {name} record",
            description=f"{record_type.description} {post_record.__doc__}",
            responses={200: POSTED_RECORD, **ERRORS},
            openapi_extra=openapi.request_body({JSON: {"schema": schema}}),
        )
        router.add_api_route(
            f"/{name}/batch",
            post_batch,
            methods=["POST"],
            name=f"post_{name}_batch",
            summary=f"Post many {name} records",
            description=f"{record_type.description} {post_batch.__doc__}",
            responses={200: POSTED_BATCH, **ERRORS},
            openapi_extra=openapi.request_body({JSON: {"schema": {"type": "array", "items": schema}}}),
        )
    return router


def record_schema(record_type: RecordType) -> openapi.Schema:
    """Return the JSON schema of the records of a type."""
    return {
        "type": "object",
        "required": [field.name for field in record_type.fields if field.required],
        "properties": {
            field.name: {"description": field.description, **_field_type(field)} for field in record_type.fields
        },
    }


def _post_record(record_type: RecordType) -> Endpoint:
    validator = Validator(record_type)

    async def post_record(request: Request) -> Response:
        """With status 200, all in-sync replicas have the record."""
        body = await read_body(request, MAX_RECORD_BYTES)
        _validate(record_type, validator, body)
        topic, [result] = await _send(request, record_type, [single_line(body)], len(body))
        if isinstance(result, DeliveryError):
            raise record_refused(result)
        return json_response(PostedRecord(topic, result.partition, result.offset), JSON)

    return post_record


def _post_batch(record_type: RecordType) -> Endpoint:
    validator = Validator(record_type)

    async def post_batch(request: Request) -> Response:
        """The body is an array of records; if one fails validation, none is sent."""
        body = await read_body(request)
        records = [single_line(record) for record in decode_list(body)]
        validated_bytes = 0
        for position, record in enumerate(records):
            _validate(record_type, validator, record, position)
            validated_bytes += len(record)
            if validated_bytes > VALIDATION_SLICE_BYTES:
                validated_bytes = 0
                await asyncio.sleep(0)
        topic, results = await _send(request, record_type, records, len(body))
        return json_response(PostedBatch(topic, record_offsets(results)), JSON)

    return post_batch


def _validate(record_type: RecordType, validator: Validator, record: bytes, position: int | None = None) -> None:
    """Raise ApiError 422 if a record fails validation."""
    outcome = validator.validate(record)
    if isinstance(outcome, Rejected):
        raise record_rejected(record_type, outcome, position)


async def _send(
    request: Request, record_type: RecordType, records: list[bytes], body_bytes: int
) -> tuple[str, list[DeliveryResult]]:
    topic = request.app.state.settings.topic(record_type.name)
    return topic, await send_records(request, topic, [ProduceRecord(record) for record in records], body_bytes)


@singledispatch
def _field_type(field: Field) -> openapi.Schema:
    raise NotImplementedError(type(field))


@_field_type.register
def _(_field: Text) -> openapi.Schema:
    return {"type": ["string", "null"]}


@_field_type.register
def _(field: Integer) -> openapi.Schema:
    return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}


@_field_type.register
def _(field: Number) -> openapi.Schema:
    return {"type": "number", "minimum": field.minimum, "maximum": field.maximum}


@_field_type.register
def _(_field: Timestamp) -> openapi.Schema:
    return {"type": "string", "example": "2019-01-01 07:21:13"}
