"""Kinesis routes, with the requests of the mapping templates in API Gateway's Kinesis tutorial.

https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, cast

import msgspec
import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from pin_pipeline.gateway.errors import stream_management_disabled
from pin_pipeline.gateway.http.backpressure import BytesInFlight
from pin_pipeline.gateway.http.media_types import JSON
from pin_pipeline.gateway.http.metrics import GatewayMetrics
from pin_pipeline.gateway.http.request_body import read_body
from pin_pipeline.gateway.json_body import decode, single_line
from pin_pipeline.gateway.kinesis import KinesisProxy, KinesisResponse
from pin_pipeline.gateway.routes import stream_models as models

STREAM = "/streams/{stream:segment}"

_CREATE_STREAM = msgspec.json.Decoder(models.CreateStreamRequest)
_PUT_RECORD = msgspec.json.Decoder(models.PutRecordRequest)
_PUT_RECORDS = msgspec.json.Decoder(models.PutRecordsRequest)
router = APIRouter(tags=["streams"])


@router.get("/streams", responses=models.LIST_STREAMS)
async def list_streams(
    request: Request,
    limit: Annotated[int | None, Query(alias="Limit", description="Maximum number of names.")] = None,
    start: Annotated[
        str | None, Query(alias="ExclusiveStartStreamName", description="Name after which to start.")
    ] = None,
) -> Response:
    """List the names of the streams, in alphabetical order."""
    parameters = {"Limit": limit, "ExclusiveStartStreamName": start}
    given = {name: value for name, value in parameters.items() if value is not None}
    return _kinesis_response(await _kinesis(request).call("list_streams", **given))


@router.get(STREAM, responses=models.DESCRIBE_STREAM)
async def describe_stream(stream: str, request: Request) -> Response:
    """Describe the state and the shards of a stream."""
    return _kinesis_response(await _kinesis(request).call("describe_stream", StreamName=stream))


@router.post(STREAM, responses=models.MANAGE_STREAM, openapi_extra=models.CREATE_STREAM_BODY)
async def create_stream(stream: str, request: Request) -> Response:
    """Create a stream, by default with five shards. Refused unless stream management is enabled."""
    _check_stream_management(request)
    wanted = decode(_CREATE_STREAM, await read_body(request) or b"{}")
    response = await _kinesis(request).call("create_stream", StreamName=stream, ShardCount=wanted.shard_count)
    return _kinesis_response(response)


@router.delete(STREAM, responses=models.MANAGE_STREAM)
async def delete_stream(stream: str, request: Request) -> Response:
    """Delete a stream and all its records. Refused unless stream management is enabled."""
    _check_stream_management(request)
    return _kinesis_response(await _kinesis(request).call("delete_stream", StreamName=stream))


@router.put(f"{STREAM}/record", responses=models.PUT_RECORD, openapi_extra=models.PUT_RECORD_BODY)
async def put_record(stream: str, request: Request) -> Response:
    """Put one record on the stream in the path; its data is the JSON text that was sent. `StreamName` is ignored."""
    body = await read_body(request)
    record = decode(_PUT_RECORD, body)
    with _in_flight(request).hold(len(body), 1):
        entry = _entry(single_line(record.data), record.partition_key)
        response = await _kinesis(request).call("put_record", StreamName=stream, **entry)
    _metrics(request).count_records(stream, [False])
    return _kinesis_response(response)


@router.put(f"{STREAM}/records", responses=models.PUT_RECORDS, openapi_extra=models.PUT_RECORDS_BODY)
async def put_records(stream: str, request: Request) -> Response:
    """Put many records. Records refused individually are put again; the result of each reports a final refusal."""
    body = await read_body(request)
    records = decode(_PUT_RECORDS, body).records
    entries = [_entry(_data(record.data), record.partition_key) for record in records]
    with _in_flight(request).hold(len(body), len(entries)):
        response = await _kinesis(request).put_records(stream, entries)
    _metrics(request).count_records(stream, ["ErrorCode" in result for result in response["Records"]])
    return _kinesis_response(response)


@router.get(f"{STREAM}/sharditerator", responses=models.SHARD_ITERATOR)
async def shard_iterator(
    stream: str, request: Request, shard_id: Annotated[str, Query(alias="shard-id", description="ID of the shard.")]
) -> Response:
    """Return an iterator that starts at the oldest record of a shard."""
    position = {"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    return _kinesis_response(await _kinesis(request).call("get_shard_iterator", **position))


@router.get(f"{STREAM}/records", responses=models.GET_RECORDS)
async def get_records(
    stream: str,  # noqa: ARG001 - the iterator identifies the stream
    request: Request,
    shard_iterator: Annotated[
        str, Header(alias="Shard-Iterator", description="From .../sharditerator, or from the previous response.")
    ],
) -> Response:
    """Return the next records of a shard, with data in base64, and the iterator for the records after them."""
    return _kinesis_response(await _kinesis(request).call("get_records", ShardIterator=shard_iterator))


def _entry(data: bytes, partition_key: str | float) -> dict[str, bytes | str]:
    """Return the parameters that put a record; a numeric key becomes its digits, as in the mapping templates."""
    key = partition_key if isinstance(partition_key, str) else str(partition_key)
    return {"Data": data, "PartitionKey": key}


def _data(value: msgspec.Raw) -> bytes:
    """Return the content of a JSON string, or the JSON text of any other value."""
    line = single_line(value)
    return msgspec.json.decode(line, type=str).encode() if line.startswith(b'"') else line


def _check_stream_management(request: Request) -> None:
    if not request.app.state.settings.manage_streams:
        raise stream_management_disabled()


def _kinesis(request: Request) -> KinesisProxy:
    return cast("KinesisProxy", request.app.state.kinesis)


def _metrics(request: Request) -> GatewayMetrics:
    return cast("GatewayMetrics", request.app.state.metrics)


def _in_flight(request: Request) -> BytesInFlight:
    return cast("BytesInFlight", request.app.state.in_flight)


def _kinesis_response(response: KinesisResponse) -> Response:
    """Encode a response as Kinesis does: timestamps in seconds since 1970, bytes in base64."""
    content = orjson.dumps(response, default=_to_json, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(content, media_type=JSON)


def _to_json(value: object) -> object:
    match value:
        case datetime():
            return value.timestamp()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            raise TypeError(type(value))
