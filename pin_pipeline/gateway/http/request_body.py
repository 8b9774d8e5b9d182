"""Request bodies, read up to a size limit."""

from __future__ import annotations

from typing import cast

from fastapi import Request

from pin_pipeline.gateway.errors import too_large, unsupported_encoding
from pin_pipeline.gateway.http.backpressure import BytesInFlight

MAX_BODY_BYTES = 10 * 2**20
"""Payload limit of API Gateway."""


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Read the body of a request, but no further than the limit.

    Raises:
        ApiError: 413 if the body is larger than the limit, 415 if it is compressed, and 429 if the bodies of all
            requests would exceed the limit of bytes in flight.
    """
    headers = request.headers
    if (encoding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise unsupported_encoding(encoding)
    if int(headers.get("content-length", 0)) > limit:
        raise too_large(limit)
    body = bytearray()
    with cast("BytesInFlight", request.app.state.in_flight).receiving() as share:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large(limit)
            share.grow_to(len(body))
    return bytes(body)
