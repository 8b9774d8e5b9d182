"""Replies: JSON in a media type of the proxy's."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from fastapi import Response

from pin_pipeline.gateway.http.media_types import KAFKA_V2


def reply(
    content: object, media_type: str = KAFKA_V2, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A reply as JSON."""
    return Response(orjson.dumps(content), status, headers, media_type)
