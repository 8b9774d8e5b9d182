"""Health, readiness and metrics routes."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import RETRY_AFTER, UNAVAILABLE, ApiError
from pin_pipeline.gateway.http.error_handlers import ErrorBody
from pin_pipeline.gateway.http.json_response import json_response
from pin_pipeline.gateway.http.media_types import JSON

router = APIRouter(tags=["health"])


class Ready(msgspec.Struct):
    """All services behind the gateway respond."""

    status: str
    parts: dict[str, str]


class NotReady(ErrorBody):
    """Some services behind the gateway do not respond."""

    parts: dict[str, str]


READY = openapi.response("All services respond.", Ready("ready", {"kafka": "ready", "kinesis": "ready"}), JSON)
NOT_READY = openapi.response(
    "Some services do not respond.",
    NotReady(UNAVAILABLE, "Kafka broker 127.0.0.1:9092 did not respond", {"kafka": "down", "kinesis": "ready"}),
)


@router.get("/health")
async def health() -> dict[str, str]:
    """Liveness: the process serves requests."""
    return {"status": "ok"}


@router.get("/ready", responses={200: READY, 503: NOT_READY})
async def ready(request: Request) -> Response:
    """Readiness: Kafka and Kinesis respond. Status 503 reports which of them do not."""
    state = request.app.state
    calls = {"kafka": state.broker.list_topics(), "kinesis": state.kinesis.call("list_streams")}
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    errors = {name: str(result) for name, result in zip(calls, results, strict=True) if isinstance(result, ApiError)}
    parts = {name: "down" if name in errors else "ready" for name in calls}
    if errors:
        return json_response(NotReady(UNAVAILABLE, "; ".join(errors.values()), parts), status=503, headers=RETRY_AFTER)
    return json_response(Ready("ready", parts), JSON)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Metrics in the text format of Prometheus."""
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE_LATEST)
