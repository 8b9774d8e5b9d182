"""Requests and responses of the stream routes, with their OpenAPI descriptions.

Requests follow the mapping templates of API Gateway's Kinesis tutorial; responses are those of Kinesis, passed through.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.http.media_types import JSON
from pin_pipeline.gateway.json_body import Record

DEFAULT_SHARDS = 5
"""Shards of a new stream, as in the tutorial."""
MAX_PUT_RECORDS = 500
"""Limit of PutRecords."""
PartitionKey = Annotated[str, msgspec.Meta(min_length=1)] | int | float


class CreateStreamRequest(msgspec.Struct, rename={"shard_count": "ShardCount"}):
    """Number of shards of a new stream."""

    shard_count: Annotated[int, msgspec.Meta(ge=1)] = DEFAULT_SHARDS


class PutRecordRequest(msgspec.Struct, rename="pascal"):
    """One record to put; `StreamName` is ignored, the path names the stream."""

    data: msgspec.Raw
    partition_key: PartitionKey
    stream_name: msgspec.Raw | UnsetType = UNSET


class PutRecordsEntry(Record, rename="kebab"):
    """One of many records to put."""

    data: msgspec.Raw
    partition_key: PartitionKey


class PutRecordsRequest(msgspec.Struct):
    """Records to put."""

    records: Annotated[list[PutRecordsEntry], msgspec.Meta(min_length=1, max_length=MAX_PUT_RECORDS)]


class ListStreamsResponse(msgspec.Struct, rename="pascal"):
    """Response of ListStreams."""

    stream_names: list[str]
    has_more_streams: bool


class DescribeStreamResponse(msgspec.Struct, rename="pascal"):
    """Response of DescribeStream."""

    stream_description: dict[str, Any]


class PutRecordResponse(msgspec.Struct, rename="pascal"):
    """Response of PutRecord."""

    shard_id: str
    sequence_number: str


class PutRecordsResultEntry(msgspec.Struct, rename="pascal"):
    """Shard and sequence number of a stored record, or the error of a refused one."""

    shard_id: str | UnsetType = UNSET
    sequence_number: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class PutRecordsResponse(msgspec.Struct, rename="pascal"):
    """Response of PutRecords."""

    failed_record_count: int
    records: list[PutRecordsResultEntry]


class GetShardIteratorResponse(msgspec.Struct, rename="pascal"):
    """Response of GetShardIterator."""

    shard_iterator: str


class GetRecordsEntry(msgspec.Struct, rename="pascal"):
    """Record of a shard; its data is in base64."""

    data: str
    partition_key: str
    sequence_number: str
    approximate_arrival_timestamp: float


class GetRecordsResponse(msgspec.Struct, rename="pascal"):
    """Response of GetRecords."""

    records: list[GetRecordsEntry]
    millis_behind_latest: int
    next_shard_iterator: str | UnsetType = UNSET


def _responses(description: str, example: object) -> openapi.Responses:
    return {
        200: openapi.response(description, example, JSON),
        400: openapi.kinesis_error_response(
            "ResourceNotFoundException", "Kinesis refuses the request, for example because the stream does not exist."
        ),
        429: openapi.kinesis_error_response(
            "ProvisionedThroughputExceededException", "Kinesis throttles; retry after the seconds in Retry-After."
        ),
        503: openapi.kinesis_error_response(
            "ServiceUnavailable", "Kinesis did not respond; retry after the seconds in Retry-After."
        ),
    }


def _body(example: dict[str, Any], model: type, *, required: bool = True) -> openapi.Schema:
    return openapi.request_body(openapi.content(example, JSON, model=model), required=required)


SHARD, SEQUENCE_NUMBER = "shardId-000000000000", "49590338271490256608559692538361571095921575989136588898"
CREATE_STREAM_BODY = _body({"ShardCount": DEFAULT_SHARDS}, CreateStreamRequest, required=False)
PUT_RECORD_BODY = _body({"Data": {"ind": 7528, "country": "Albania"}, "PartitionKey": "geo"}, PutRecordRequest)
PUT_RECORDS_BODY = _body({"records": [{"data": '{"ind": 7528}', "partition-key": "geo"}]}, PutRecordsRequest)
LIST_STREAMS = _responses("The stream names.", ListStreamsResponse(["streaming-pinterest-pin"], has_more_streams=False))
DESCRIBE_STREAM = _responses(
    "The stream.",
    DescribeStreamResponse({"StreamName": "streaming-pinterest-pin", "StreamStatus": "ACTIVE", "Shards": []}),
)
MANAGE_STREAM: openapi.Responses = {
    **_responses("Accepted.", {}),
    403: openapi.kinesis_error_response("AccessDeniedException", "Creating and deleting streams is disabled."),
}
PUT_RECORD = _responses("The position of the record.", PutRecordResponse(SHARD, SEQUENCE_NUMBER))
PUT_RECORDS = _responses(
    "The result of each record, in order.", PutRecordsResponse(0, [PutRecordsResultEntry(SHARD, SEQUENCE_NUMBER)])
)
SHARD_ITERATOR = _responses("The iterator.", GetShardIteratorResponse("AAAAAAAAAAHL"))
GET_RECORDS = _responses("The next records.", GetRecordsResponse([], 0, "AAAAAAAAAAHM"))
