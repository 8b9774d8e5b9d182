"""Requests and responses of the consumer routes, with their OpenAPI descriptions."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.kafka.consumer_instances import DEFAULT_WAIT_MS

MAX_WAIT_MS = 30_000


class _RequestModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateConsumerRequest(_RequestModel):
    """Options of a new consumer instance."""

    name: str | None = Field(None, min_length=1, description="Name in the group; generated if missing.")
    format: EmbeddedFormat = Field(EmbeddedFormat.BINARY, description="Embedded format of keys and values.")
    auto_offset_reset: Literal["earliest", "latest", "none"] = Field(
        "latest", alias="auto.offset.reset", description="Position to start from if the group has no committed offset."
    )
    auto_commit_enable: bool = Field(
        True, alias="auto.commit.enable", description="Commit the offsets of returned records periodically."
    )
    fetch_min_bytes: int = Field(
        1, alias="fetch.min.bytes", ge=1, description="Bytes for which the broker waits before it responds."
    )
    wait_ms: int = Field(
        DEFAULT_WAIT_MS,
        alias="consumer.request.timeout.ms",
        ge=0,
        le=MAX_WAIT_MS,
        description="Milliseconds to wait for records, unless a request specifies `timeout`.",
    )


class SubscriptionRequest(_RequestModel):
    """Topics to subscribe to, by name or by pattern."""

    topics: list[str] | None = Field(None, min_length=1)
    topic_pattern: str | None = Field(None, min_length=1)


class PartitionRef(_RequestModel):
    """Partition of a topic."""

    topic: str
    partition: int = Field(ge=0)


class PartitionsRequest(_RequestModel):
    """Partitions to assign, to seek in, or whose committed offsets to return."""

    partitions: list[PartitionRef]


class PartitionOffset(PartitionRef):
    """Offset in a partition."""

    offset: int = Field(ge=0)
    metadata: str | None = None


class OffsetsRequest(_RequestModel):
    """Offsets to commit or to seek to."""

    offsets: list[PartitionOffset]


class CreatedConsumer(msgspec.Struct):
    """Name and address of a new consumer instance."""

    instance_id: str
    base_uri: str


class ConsumedRecord(msgspec.Struct):
    """Record with key and value in the embedded format of the consumer."""

    topic: str
    key: Any
    value: Any
    partition: int
    offset: int


INSTANCE_ERRORS: openapi.Responses = {
    404: openapi.error_response(40403, "The consumer instance is not found."),
    409: openapi.error_response(40903, "The state of the consumer does not allow this, such as no subscription."),
    422: openapi.error_response(422, "The body or a parameter is invalid."),
    **openapi.UNAVAILABLE,
}
CREATE_CONSUMER: openapi.Responses = {
    200: openapi.response(
        "The instance.", CreatedConsumer("mine", "http://127.0.0.1:8082/consumers/readers/instances/mine")
    ),
    409: openapi.error_response(40902, "The group already has an instance of this name."),
    422: INSTANCE_ERRORS[422],
    429: openapi.error_response(42901, "There are too many instances."),
}
READ_RECORDS: openapi.Responses = {
    200: openapi.response(
        "The next records.",
        [ConsumedRecord("pinterest.geo", None, {"ind": 7528}, 0, 17)],
        *(embedded_format.media_type for embedded_format in EmbeddedFormat),
        model=list[ConsumedRecord],
    ),
    406: openapi.error_response(40601, "Accept excludes the embedded format of the consumer."),
    500: openapi.error_response(50002, "A record is not JSON, but the consumer has format json."),
    **INSTANCE_ERRORS,
}
