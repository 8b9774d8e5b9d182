"""The proxy's media types: what a request may be written in, and which of them its reply is written in."""

from __future__ import annotations

from enum import StrEnum

KAFKA_V2 = "application/vnd.kafka.v2+json"
KAFKA_JSON_V2 = "application/vnd.kafka.json.v2+json"
KAFKA_BINARY_V2 = "application/vnd.kafka.binary.v2+json"
REPLY_TYPES = (KAFKA_V2, "application/vnd.kafka+json", "application/json")
JSON_TYPES = (KAFKA_JSON_V2, "application/vnd.kafka.json+json", "application/json")
BINARY_TYPES = (KAFKA_BINARY_V2, "application/vnd.kafka.binary+json")


class Embedded(StrEnum):
    """How keys and values are embedded: as the JSON they are, or any bytes in base64."""

    JSON = "json"
    BINARY = "binary"

    @property
    def media_type(self) -> str:
        """The media type that says so."""
        return KAFKA_JSON_V2 if self is Embedded.JSON else KAFKA_BINARY_V2


def takes_embedded(accept: str | None, embedded: Embedded) -> bool:
    """Whether an Accept header takes records that are embedded so."""
    return _quality_of(embedded.media_type, _qualities(accept or "*/*")) > 0


def embedded_as(content_type: str | None) -> Embedded | None:
    """How a Content-Type says that the records are embedded; None where it says neither."""
    said = media_type(content_type or "")
    if said in BINARY_TYPES:
        return Embedded.BINARY
    return Embedded.JSON if said in JSON_TYPES else None


def reply_type(accept: str | None) -> str | None:
    """The reply type an Accept header likes best, the most Confluent of equals; None where it takes none of them."""
    if not accept:
        return KAFKA_V2
    qualities = _qualities(accept)
    best = max(REPLY_TYPES, key=lambda offered: _quality_of(offered, qualities))
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


def media_type(header: str) -> str:
    """The media type of a header, without its parameters."""
    return header.split(";", 1)[0].strip().lower()
