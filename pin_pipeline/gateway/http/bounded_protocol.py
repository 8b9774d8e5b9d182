"""HTTP protocol of the gateway's server: bounds the head of a request, and the time in which a request is received.

uvicorn bounds neither: a client could send a head of any size, or hold connections open with requests that never end.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pin_pipeline.gateway.http.media_types import KAFKA_V2

MAX_HEAD_BYTES = 32 * 2**10
"""Request line and headers; common servers accept 8 to 32 KiB."""
HEAD_SECONDS = 10.0
REQUEST_SECONDS = 30.0
"""Time for the whole request; API Gateway gives up after 29 s."""


class BoundedProtocol(HttpToolsProtocol):
    """Connection that refuses a head that is too large (431), and a request that is not received in time (408)."""

    _receiving_head = _receiving = False
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a connection; its first request has to arrive in time."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn declares the transport of its server
        self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection."""
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and check the bounds unless they completed a request."""
        super().data_received(data)
        if not self._receiving or self.transport.is_closing():
            return
        if self._receiving_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                message = f"the request line and the headers are larger than {MAX_HEAD_BYTES} bytes"
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)
                return
        if self._deadline is None:
            self._set_deadline(HEAD_SECONDS if self._receiving_head else REQUEST_SECONDS)

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._receiving = self._receiving_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Note that the head is complete, and start the request."""
        self._receiving_head = False
        self._clear_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._receiving = False
        self._clear_deadline()
        super().on_message_complete()

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._receiving:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request was not received in time; send it faster or smaller")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Respond, unless another response has to come first or has begun, and close the connection."""
        if self._receiving_head:
            can_respond = self.cycle is None or self.cycle.response_complete
        else:
            can_respond = not (self.cycle.response_started or self.pipeline)
        if can_respond:
            body = msgspec.json.encode({"error_code": status.value, "message": message})
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {KAFKA_V2}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
