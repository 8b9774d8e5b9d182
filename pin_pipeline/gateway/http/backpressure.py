"""What keeps the gateway's memory bounded: the size of one request, and of all that wait for the broker."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from pin_pipeline.gateway.errors import busy, too_large

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
# As API Gateway has it.
MAX_BODY_BYTES = 10 * 2**20
MAX_IN_FLIGHT_BYTES = 32 * 2**20
RECORD_OVERHEAD_BYTES = 2048


async def read_body(request: Request) -> bytes:
    """The request's body. Raises ApiError 413 beyond `MAX_BODY_BYTES`, without reading on."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is larger than {MAX_BODY_BYTES} bytes; send the records in smaller requests")
    return bytes(body)


class BoundedRoute(APIRoute):
    """A route that reads its body by `read_body`, whatever it makes of it."""

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await answer(Request(request.scope, again(await read_body(request))))

        return bounded


def again(body: bytes) -> Receive:
    """What gives a body that was read once more."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


class InFlight:
    """The bytes of the records that wait for the broker: their own, and what keeping track of each takes."""

    def __init__(self, limit: int = MAX_IN_FLIGHT_BYTES) -> None:
        self._limit = limit
        self._bytes = 0

    def size(self) -> int:
        """How many bytes that are now."""
        return self._bytes

    @contextmanager
    def hold(self, body_bytes: int, records: int) -> Iterator[None]:
        """Count a request while it waits. Raises ApiError: 429 where it must come later, 413 where it never fits."""
        size = body_bytes + records * RECORD_OVERHEAD_BYTES
        if size > self._limit:
            raise too_large(f"{records} records are too many for one request; send them in smaller requests")
        if self._bytes + size > self._limit:
            raise busy(f"{self._bytes} bytes wait for the broker, the limit is {self._limit}; send this again later")
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
