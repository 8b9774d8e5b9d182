"""The proxy's media types: what a request may be written in, and which of them its reply is written in."""

from __future__ import annotations

KAFKA_V2 = "application/vnd.kafka.v2+json"
KAFKA_JSON_V2 = "application/vnd.kafka.json.v2+json"
REPLY_TYPES = (KAFKA_V2, "application/vnd.kafka+json", "application/json")
JSON_TYPES = (KAFKA_JSON_V2, "application/vnd.kafka.json+json", "application/json")


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type says that the records are embedded as JSON."""
    return _media_type(content_type or "") in JSON_TYPES


def reply_type(accept: str | None) -> str | None:
    """The reply type an Accept header likes best, the most Confluent of equals; None where it takes none of them."""
    if not accept:
        return KAFKA_V2
    qualities = dict(_quality(part) for part in accept.split(","))
    best = max(REPLY_TYPES, key=lambda offered: _quality_of(offered, qualities))
    return best if _quality_of(best, qualities) > 0 else None


def _quality_of(offered: str, qualities: dict[str, float]) -> float:
    return next((qualities[pattern] for pattern in (offered, "application/*", "*/*") if pattern in qualities), 0.0)


def _quality(part: str) -> tuple[str, float]:
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return _media_type(part), float(value)
            except ValueError:
                return _media_type(part), 0.0
    return _media_type(part), 1.0


def _media_type(header: str) -> str:
    return header.split(";", 1)[0].strip().lower()
