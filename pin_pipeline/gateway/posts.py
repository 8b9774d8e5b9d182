"""Plain JSON records, `POST /pin/`, `/geo/`, `/user/`: refused at the door where one does not fit its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import singledispatch
from typing import Annotated, Any

import msgspec
from confluent_kafka import KafkaError as Refusal
from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import contract
from pin_pipeline.gateway.direct import DirectRoute
from pin_pipeline.gateway.envelope import Record, decode, one_line
from pin_pipeline.gateway.errors import misfit, record_refused
from pin_pipeline.gateway.limits import read_body
from pin_pipeline.gateway.offsets import as_offsets, send_counted
from pin_pipeline.gateway.producer import Outcome
from pin_pipeline.gateway.replies import reply
from pin_pipeline.records import KINDS, RecordKind
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp
from pin_pipeline.records.rules import Problem, Rules

Schema = dict[str, Any]
Post = Callable[[Request], Awaitable[Response]]
_RECORDS = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)])


def router(kinds: dict[str, RecordKind] = KINDS) -> APIRouter:
    """Two routes a kind: for one record, and for many."""
    routes = APIRouter(tags=["posts"], route_class=DirectRoute)
    for kind in kinds.values():
        one, many = contract.json_body(schema(kind)), contract.json_body(contract.array(schema(kind)))
        _add(routes, kind, "", _post_one(kind), contract.POST, one)
        _add(routes, kind, "batch", _post_many(kind), contract.POST_MANY, many)
    return routes


def _add(
    routes: APIRouter, kind: RecordKind, form: str, post: Post, responses: contract.Responses, body: Schema
) -> None:
    routes.add_api_route(
        f"/{kind.name}/{form}",
        post,
        methods=["POST"],
        name=f"post_{kind.name}_{form}".rstrip("_"),
        summary=f"Post many {kind.name} records" if form else f"Post a {kind.name} record",
        description=f"{kind.description} {post.__doc__}",
        responses=responses,
        openapi_extra=body,
    )


def schema(kind: RecordKind) -> Schema:
    """The JSON schema of a kind's records."""
    return {
        "type": "object",
        "required": [field.name for field in kind.fields if field.required],
        "properties": {field.name: {"description": field.description, **_type(field)} for field in kind.fields},
    }


def _post_one(kind: RecordKind) -> Post:
    rules = Rules(kind)

    async def post(request: Request) -> Response:
        """200 says that all replicas have the record."""
        body = await read_body(request)
        _check(kind, rules, body, "")
        topic, [sent] = await _send(request, kind, [one_line(body)], len(body))
        if isinstance(sent, Refusal):
            raise record_refused(sent)
        return reply({"topic": topic, **msgspec.structs.asdict(sent)}, "application/json")

    return post


def _post_many(kind: RecordKind) -> Post:
    rules = Rules(kind)

    async def post(request: Request) -> Response:
        """A JSON array of records; where one does not fit, none is sent. 200 says what became of each."""
        body = await read_body(request)
        records = [one_line(each) for each in decode(_RECORDS, body)]
        for position, record in enumerate(records):
            _check(kind, rules, record, f"[{position}] is ")
        topic, outcomes = await _send(request, kind, records, len(body))
        return reply({"topic": topic, "offsets": as_offsets(outcomes)}, "application/json")

    return post


def _check(kind: RecordKind, rules: Rules, record: bytes, where: str) -> None:
    outcome = rules.judge(record)
    if isinstance(outcome, Problem):
        raise misfit(kind, outcome, where)


async def _send(request: Request, kind: RecordKind, records: list[bytes], size: int) -> tuple[str, list[Outcome]]:
    topic = request.app.state.settings.topic(kind.name)
    return topic, await send_counted(request, topic, [Record(record) for record in records], size)


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
