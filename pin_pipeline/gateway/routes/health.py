"""Whether the gateway serves, and whether what is behind it does."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import RETRY_AFTER, UNAVAILABLE, ApiError
from pin_pipeline.gateway.http.replies import reply

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive: the process serves requests."""
    return {"status": "ok"}


@router.get("/ready", responses=openapi.READY)
async def ready(request: Request) -> Response:
    """Ready: what is behind the gateway answers. 503 says which part does not."""
    state = request.app.state
    parts = {"kafka": state.broker.topics(), "kinesis": state.kinesis.call("list_streams")}
    found = await asyncio.gather(*parts.values(), return_exceptions=True)
    down = {name: str(answer) for name, answer in zip(parts, found, strict=True) if isinstance(answer, ApiError)}
    states = {name: "down" if name in down else "ready" for name in parts}
    if down:
        error = {"error_code": UNAVAILABLE, "message": "; ".join(down.values()), "parts": states}
        return reply(error, status=503, headers=RETRY_AFTER)
    return reply({"status": "ready", "parts": states}, "application/json")
