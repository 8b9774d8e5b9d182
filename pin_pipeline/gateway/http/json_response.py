"""JSON responses in the media types of the Kafka REST API."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from fastapi import Response

from pin_pipeline.gateway.http.media_types import KAFKA_V2

_ENCODER = msgspec.json.Encoder()


def json_response(
    content: object, media_type: str = KAFKA_V2, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode a msgspec struct, or any JSON value, as the body of a response."""
    return Response(_ENCODER.encode(content), status, headers, media_type)
