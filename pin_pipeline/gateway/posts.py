"""One record as plain JSON, `POST /pin/`, `/geo/` and `/user/`: refused at the door where it does not fit its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import singledispatch
from typing import Any, cast

import orjson
from fastapi import APIRouter, Request, Response
from kafka.errors import KafkaError

from pin_pipeline.gateway import contract
from pin_pipeline.gateway.envelope import Record
from pin_pipeline.gateway.errors import broker_unavailable, misfit
from pin_pipeline.gateway.exact import one_line
from pin_pipeline.gateway.kafka import Broker
from pin_pipeline.gateway.limits import InFlight, read_body
from pin_pipeline.gateway.replies import reply
from pin_pipeline.records import KINDS, RecordKind
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp
from pin_pipeline.records.rules import Problem, Rules

Schema = dict[str, Any]


def router(kinds: dict[str, RecordKind] = KINDS) -> APIRouter:
    """A route a kind."""
    routes = APIRouter(tags=["posts"])
    for kind in kinds.values():
        routes.add_api_route(
            f"/{kind.name}/",
            _post(kind),
            methods=["POST"],
            name=f"post_{kind.name}",
            summary=f"Post a {kind.name} record",
            description=f"{kind.description} 200 says that all replicas have the record.",
            responses=contract.POST,
            openapi_extra=contract.json_body(schema(kind)),
        )
    return routes


def schema(kind: RecordKind) -> Schema:
    """The JSON schema of a kind's records."""
    return {
        "type": "object",
        "required": [field.name for field in kind.fields if field.required],
        "properties": {field.name: {"description": field.description, **_type(field)} for field in kind.fields},
    }


def _post(kind: RecordKind) -> Callable[[Request], Awaitable[Response]]:
    rules = Rules(kind)

    async def post(request: Request) -> Response:
        body = await read_body(request)
        outcome = rules.judge(body)
        if isinstance(outcome, Problem):
            raise misfit(kind, outcome)
        topic = request.app.state.settings.topic(kind.name)
        record = Record(one_line(body.decode()), None, None, orjson.loads(body))
        broker = cast("Broker", request.app.state.broker)
        with cast("InFlight", request.app.state.in_flight).hold(len(body), 1):
            [sent] = await broker.send(topic, [record])
        if isinstance(sent, KafkaError):
            raise broker_unavailable(broker.bootstrap, sent)
        return reply({"topic": topic, "partition": sent.partition, "offset": sent.offset}, "application/json")

    return post


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
