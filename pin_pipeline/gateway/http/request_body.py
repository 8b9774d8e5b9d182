"""Request bodies, read up to a size limit."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from pin_pipeline.gateway.errors import too_large

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

MAX_BODY_BYTES = 10 * 2**20
"""Payload limit of API Gateway."""


async def read_body(request: Request) -> bytes:
    """Read the body of a request, but no further than the limit.

    Raises:
        ApiError: 413 if the body is larger than `MAX_BODY_BYTES`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is larger than {MAX_BODY_BYTES} bytes; send the records in smaller requests")
    return bytes(body)


class BoundedRoute(APIRoute):
    """Route that reads its body with `read_body` before FastAPI parses it."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler, preceded by the size limit."""
        handler = super().get_route_handler()

        async def bounded_handler(request: Request) -> Response:
            return await handler(Request(request.scope, _replay(await read_body(request))))

        return bounded_handler


def _replay(body: bytes) -> Receive:
    """Return an ASGI receive function that delivers a body that was already read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
