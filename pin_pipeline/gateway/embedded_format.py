"""Embedded formats of the Kafka REST API: how keys and values are represented in requests and responses."""

from __future__ import annotations

from enum import StrEnum


class EmbeddedFormat(StrEnum):
    """Format of keys and values: any JSON value, or any bytes in base64."""

    JSON = "json"
    BINARY = "binary"

    @property
    def media_type(self) -> str:
        """Media type of records in this format."""
        return f"application/vnd.kafka.{self.value}.v2+json"
