"""Requests and responses of the consumer routes, with their OpenAPI descriptions."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.http.media_types import RESPONSE_TYPES
from pin_pipeline.gateway.json_body import Record
from pin_pipeline.gateway.kafka.consumer_instances import DEFAULT_WAIT_MS

MAX_WAIT_MS = 30_000
MAX_INT, MAX_OFFSET = 2**31 - 1, 2**63 - 2
"""Largest numbers that the Kafka protocol allows; the position after an offset is a 64-bit number too."""
MAX_FETCH_MIN_BYTES = 10_000_000
"""As in the Confluent REST Proxy."""
MAX_TOPICS, MAX_PARTITIONS = 1_000, 1_000

TopicName = Annotated[str, Meta(pattern=r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$")]
InstanceName = Annotated[str, Meta(pattern=r"^(?!\.{1,2}$)[^/\x00-\x1f]{1,249}$")]
"""Dot segments and slashes would not survive in the path of the instance."""


class CreateConsumerRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Options of a new consumer instance.

    Attributes:
        name: name in the group; generated if missing.
        format: embedded format of keys and values.
        auto_offset_reset: position to start from if the group has no committed offset.
        auto_commit_enable: whether to commit the offsets of returned records periodically.
        fetch_min_bytes: bytes for which the broker waits before it responds; -1 for its default.
        wait_ms: milliseconds to wait for records, unless a request specifies `timeout`.
    """

    name: InstanceName | None = None
    format: Annotated[str, Meta(pattern="^(json|binary)$")] = EmbeddedFormat.BINARY.value
    auto_offset_reset: Annotated[str, Meta(pattern="^(earliest|latest|none)$")] = msgspec.field(
        default="latest", name="auto.offset.reset"
    )
    auto_commit_enable: bool = msgspec.field(default=True, name="auto.commit.enable")
    fetch_min_bytes: Annotated[int, Meta(ge=-1, le=MAX_FETCH_MIN_BYTES)] = msgspec.field(
        default=-1, name="fetch.min.bytes"
    )
    wait_ms: Annotated[int, Meta(ge=-1, le=MAX_INT)] = msgspec.field(
        default=DEFAULT_WAIT_MS, name="consumer.request.timeout.ms"
    )


class SubscriptionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Topics to subscribe to, by name or by a pattern in the syntax of RE2 that matches the whole name."""

    topics: Annotated[list[str], Meta(min_length=1, max_length=MAX_TOPICS)] | None = None
    topic_pattern: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None


class PartitionRef(Record, forbid_unknown_fields=True):
    """Partition of a topic."""

    topic: TopicName
    partition: Annotated[int, Meta(ge=0, le=MAX_INT)]


class AssignmentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Partitions to read; none to end the assignment."""

    partitions: Annotated[list[PartitionRef], Meta(max_length=MAX_PARTITIONS)]


class PartitionsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Partitions to seek in, or whose committed offsets to return."""

    partitions: Annotated[list[PartitionRef], Meta(min_length=1, max_length=MAX_PARTITIONS)]


class PartitionOffset(PartitionRef, forbid_unknown_fields=True):
    """Offset in a partition."""

    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)]
    metadata: str | None = None


class OffsetsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Offsets to commit or to seek to."""

    offsets: Annotated[list[PartitionOffset], Meta(min_length=1, max_length=MAX_PARTITIONS)]


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


def _body(example: dict[str, Any], model: type, *, required: bool = True) -> openapi.Schema:
    return openapi.request_body(openapi.content(example, *RESPONSE_TYPES, model=model), required=required)


_PARTITION = {"topic": "pinterest.geo", "partition": 0}
CREATE_BODY = _body(
    {"name": "mine", "format": "json", "auto.offset.reset": "earliest"}, CreateConsumerRequest, required=False
)
SUBSCRIPTION_BODY = _body({"topics": ["pinterest.geo"]}, SubscriptionRequest)
ASSIGNMENT_BODY = _body({"partitions": [_PARTITION]}, AssignmentRequest)
PARTITIONS_BODY = _body({"partitions": [_PARTITION]}, PartitionsRequest)
OFFSETS_BODY = _body({"offsets": [{**_PARTITION, "offset": 17}]}, OffsetsRequest)
COMMIT_BODY = _body({"offsets": [{**_PARTITION, "offset": 17}]}, OffsetsRequest, required=False)

INSTANCE_ERRORS: openapi.Responses = {
    **openapi.NOT_JSON,
    404: openapi.error_response(40403, "The consumer instance (40403), the topic or a partition is not found."),
    409: openapi.error_response(40903, "The state of the consumer does not allow this, such as no subscription."),
    **openapi.TOO_LARGE,
    415: openapi.error_response(415, "The Content-Type is not one of the Kafka REST API."),
    422: openapi.error_response(422, "The body or a parameter is invalid."),
    **openapi.UNAVAILABLE,
}
CREATE_CONSUMER: openapi.Responses = {
    200: openapi.response(
        "The instance.", CreatedConsumer("mine", "http://127.0.0.1:8082/consumers/readers/instances/mine")
    ),
    **openapi.NOT_JSON,
    409: openapi.error_response(40902, "The group already has an instance of this name."),
    **openapi.TOO_LARGE,
    415: INSTANCE_ERRORS[415],
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
    **INSTANCE_ERRORS,
    500: openapi.error_response(50002, "The next record is not JSON, but the consumer has format json."),
}
