"""Plain JSON records, `POST /pin/`, `/geo/`, `/user/`: refused at the door where one does not fit its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import singledispatch
from typing import Annotated, Any

import msgspec
from confluent_kafka import KafkaError as Refusal
from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import misfit, record_refused
from pin_pipeline.gateway.http.backpressure import read_body
from pin_pipeline.gateway.http.direct_route import DirectRoute
from pin_pipeline.gateway.http.replies import reply
from pin_pipeline.gateway.kafka.produce import as_offsets, send_counted
from pin_pipeline.gateway.kafka.producer import Outcome
from pin_pipeline.gateway.produce_request import ProduceRecord, decode, one_line
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp
from pin_pipeline.records.rules import Rejected, Validator

Schema = dict[str, Any]
Post = Callable[[Request], Awaitable[Response]]
_RECORDS = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)])


def router(record_types: dict[str, RecordType] = RECORD_TYPES) -> APIRouter:
    """Two routes a kind: for one record, and for many."""
    routes = APIRouter(tags=["posts"], route_class=DirectRoute)
    for record_type in record_types.values():
        one, many = openapi.json_body(schema(record_type)), openapi.json_body(openapi.array(schema(record_type)))
        _add(routes, record_type, "", _post_one(record_type), openapi.POST, one)
        _add(routes, record_type, "batch", _post_many(record_type), openapi.POST_MANY, many)
    return routes


def _add(
    routes: APIRouter, record_type: RecordType, form: str, post: Post, responses: openapi.Responses, body: Schema
) -> None:
    routes.add_api_route(
        f"/{record_type.name}/{form}",
        post,
        methods=["POST"],
        name=f"post_{record_type.name}_{form}".rstrip("_"),
        summary=f"Post many {record_type.name} records" if form else f"Post a {record_type.name} record",
        description=f"{record_type.description} {post.__doc__}",
        responses=responses,
        openapi_extra=body,
    )


def schema(record_type: RecordType) -> Schema:
    """The JSON schema of a kind's records."""
    return {
        "type": "object",
        "required": [field.name for field in record_type.fields if field.required],
        "properties": {field.name: {"description": field.description, **_type(field)} for field in record_type.fields},
    }


def _post_one(record_type: RecordType) -> Post:
    rules = Validator(record_type)

    async def post(request: Request) -> Response:
        """200 says that all replicas have the record."""
        body = await read_body(request)
        _check(record_type, rules, body, "")
        topic, [sent] = await _send(request, record_type, [one_line(body)], len(body))
        if isinstance(sent, Refusal):
            raise record_refused(sent)
        return reply({"topic": topic, **msgspec.structs.asdict(sent)}, "application/json")

    return post


def _post_many(record_type: RecordType) -> Post:
    rules = Validator(record_type)

    async def post(request: Request) -> Response:
        """A JSON array of records; where one does not fit, none is sent. 200 says what became of each."""
        body = await read_body(request)
        records = [one_line(each) for each in decode(_RECORDS, body)]
        for position, record in enumerate(records):
            _check(record_type, rules, record, f"[{position}] is ")
        topic, outcomes = await _send(request, record_type, records, len(body))
        return reply({"topic": topic, "offsets": as_offsets(outcomes)}, "application/json")

    return post


def _check(record_type: RecordType, rules: Validator, record: bytes, where: str) -> None:
    outcome = rules.validate(record)
    if isinstance(outcome, Rejected):
        raise misfit(record_type, outcome, where)


async def _send(
    request: Request, record_type: RecordType, records: list[bytes], size: int
) -> tuple[str, list[Outcome]]:
    topic = request.app.state.settings.topic(record_type.name)
    return topic, await send_counted(request, topic, [ProduceRecord(record) for record in records], size)


@singledispatch
def _type(field: Field) -> Schema:
    raise NotImplementedError(type(field))


@_type.register
def _(_field: Text) -> Schema:
    return {"type": ["string", "null"]}


@_type.register
def _(field: Integer) -> Schema:
    return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}


@_type.register
def _(field: Number) -> Schema:
    return {"type": "number", "minimum": field.minimum, "maximum": field.maximum}


@_type.register
def _(_field: Timestamp) -> Schema:
    return {"type": "string", "example": "2019-01-01 07:21:13"}
