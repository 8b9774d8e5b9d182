"""Media types of the Kafka REST API, and content negotiation."""

from __future__ import annotations

from pin_pipeline.gateway.embedded_format import EmbeddedFormat

JSON = "application/json"
KAFKA_V2 = "application/vnd.kafka.v2+json"
RESPONSE_TYPES = (KAFKA_V2, "application/vnd.kafka+json", JSON)
"""Media types of responses, by preference among equals."""
JSON_TYPES = (EmbeddedFormat.JSON.media_type, "application/vnd.kafka.json+json", JSON)
"""Media types of produce requests whose records are embedded as JSON."""
BINARY_TYPES = (EmbeddedFormat.BINARY.media_type, "application/vnd.kafka.binary+json")
"""Media types of produce requests whose records are embedded as base64."""


def is_consumer_type(content_type: str) -> bool:
    """Return whether a consumer request may have this Content-Type; many clients send that of their records."""
    requested = media_type(content_type)
    return requested == JSON or (requested.startswith("application/vnd.kafka.") and requested.endswith("+json"))


def media_type(header: str) -> str:
    """Return the media type of a Content-Type or Accept header without its parameters."""
    return header.split(";", 1)[0].strip().lower()


def format_of_content(content_type: str | None) -> EmbeddedFormat | None:
    """Return the embedded format of a request by its Content-Type; None if unsupported."""
    requested = media_type(content_type or "")
    if requested in BINARY_TYPES:
        return EmbeddedFormat.BINARY
    return EmbeddedFormat.JSON if requested in JSON_TYPES else None


def accepts_format(accept: str | None, embedded_format: EmbeddedFormat) -> bool:
    """Return whether an Accept header allows records in this format."""
    return _quality_of(embedded_format.media_type, _qualities(accept or "*/*")) > 0


def preferred_response_type(accept: str | None) -> str | None:
    """Return the response type that an Accept header prefers; None if it allows none of them."""
    if not accept:
        return KAFKA_V2
    qualities = _qualities(accept)
    best = max(RESPONSE_TYPES, key=lambda offered: _quality_of(offered, qualities))
    return best if _quality_of(best, qualities) > 0 else None


def _qualities(accept: str) -> dict[str, float]:
    return dict(_quality(part) for part in accept.split(","))


def _quality_of(offered: str, qualities: dict[str, float]) -> float:
    return next((qualities[pattern] for pattern in (offered, "application/*", "*/*") if pattern in qualities), 0.0)


def _quality(part: str) -> tuple[str, float]:
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return media_type(part), float(value)
            except ValueError:
                return media_type(part), 0.0
    return media_type(part), 1.0
