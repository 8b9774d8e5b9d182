"""Whether the gateway serves, and whether the broker behind it does."""

from __future__ import annotations

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive: the process serves requests."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "The broker does not answer."}})
async def ready(request: Request) -> dict[str, str]:
    """Ready: the broker answers, so records can be produced."""
    await request.app.state.broker.topics()
    return {"status": "ready"}
