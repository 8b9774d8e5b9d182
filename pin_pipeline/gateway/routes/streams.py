"""Kinesis over REST, with the requests that the mapping templates of API Gateway's Kinesis tutorial read.

https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, cast

import msgspec
import orjson
from fastapi import APIRouter, Header, Query, Request, Response

from pin_pipeline.gateway import openapi
from pin_pipeline.gateway.errors import management_refused
from pin_pipeline.gateway.http.backpressure import InFlight, read_body
from pin_pipeline.gateway.http.metrics import Metrics
from pin_pipeline.gateway.kinesis import Answer, KinesisProxy
from pin_pipeline.gateway.produce_request import decode, one_line

DEFAULT_SHARDS = 5
STREAM = "/streams/{stream}"

Put = dict[str, bytes | str]
Key = Annotated[str, msgspec.Meta(min_length=1)] | int | float


class _NewStream(msgspec.Struct, rename={"shards": "ShardCount"}):
    shards: Annotated[int, msgspec.Meta(ge=1)] = DEFAULT_SHARDS


class _PutRecordBody(msgspec.Struct, rename={"data": "Data", "key": "PartitionKey"}):
    data: msgspec.Raw
    key: Key


class _Element(msgspec.Struct, rename={"key": "partition-key"}):
    data: msgspec.Raw
    key: Key


class _Request(msgspec.Struct):
    records: Annotated[list[_Element], msgspec.Meta(min_length=1)]


_NEW_STREAM = msgspec.json.Decoder(_NewStream)
_RECORD = msgspec.json.Decoder(_PutRecordBody)
_RECORDS = msgspec.json.Decoder(_Request)
router = APIRouter(tags=["streams"])


@router.get("/streams", responses=openapi.LIST_STREAMS)
async def list_streams(request: Request) -> Response:
    """The names of the streams."""
    return _reply(await _kinesis(request).call("list_streams"))


@router.get(STREAM, responses=openapi.DESCRIBE_STREAM)
async def describe_stream(stream: str, request: Request) -> Response:
    """A stream's state and shards."""
    return _reply(await _kinesis(request).call("describe_stream", StreamName=stream))


@router.post(STREAM, responses=openapi.MANAGE_STREAM, openapi_extra=openapi.CREATE_STREAM_BODY)
async def create_stream(stream: str, request: Request) -> Response:
    """Create a stream, of five shards where the body does not say how many. Refused unless switched on."""
    _check_management(request)
    wanted = decode(_NEW_STREAM, await read_body(request) or b"{}")
    return _reply(await _kinesis(request).call("create_stream", StreamName=stream, ShardCount=wanted.shards))


@router.delete(STREAM, responses=openapi.MANAGE_STREAM)
async def delete_stream(stream: str, request: Request) -> Response:
    """Delete a stream and all its records. Refused unless switched on."""
    _check_management(request)
    return _reply(await _kinesis(request).call("delete_stream", StreamName=stream))


@router.put(f"{STREAM}/record", responses=openapi.PUT_RECORD, openapi_extra=openapi.PUT_RECORD_BODY)
async def put_record(stream: str, request: Request) -> Response:
    """Put one record: its data is the JSON text that was sent. The stream is the path's, whatever the body names."""
    body = await read_body(request)
    record = decode(_RECORD, body)
    with _in_flight(request).hold(len(body), 1):
        put = _put(one_line(record.data), record.key)
        answer = await _kinesis(request).call("put_record", StreamName=stream, **put)
    _metrics(request).count_records(stream, [False])
    return _reply(answer)


@router.put(f"{STREAM}/records", responses=openapi.PUT_RECORDS, openapi_extra=openapi.PUT_RECORDS_BODY)
async def put_records(stream: str, request: Request) -> Response:
    """Put many records. Those that are refused alone are put again; what fails for good says so in its place."""
    body = await read_body(request)
    records = decode(_RECORDS, body).records
    puts = [_put(_data(each.data), each.key) for each in records]
    with _in_flight(request).hold(len(body), len(puts)):
        answer = await _kinesis(request).put_records(stream, puts)
    _metrics(request).count_records(stream, ["ErrorCode" in outcome for outcome in answer["Records"]])
    return _reply(answer)


@router.get(f"{STREAM}/sharditerator", responses=openapi.SHARD_ITERATOR)
async def shard_iterator(
    stream: str, request: Request, shard_id: Annotated[str, Query(alias="shard-id", description="Of which shard.")]
) -> Response:
    """An iterator that begins at the oldest record of a shard."""
    where = {"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    return _reply(await _kinesis(request).call("get_shard_iterator", **where))


@router.get(f"{STREAM}/records", responses=openapi.GET_RECORDS)
async def get_records(
    stream: str,  # noqa: ARG001 - an iterator names its stream
    request: Request,
    shard_iterator: Annotated[
        str, Header(alias="Shard-Iterator", description="From .../sharditerator, or the last reply.")
    ],
) -> Response:
    """The next records of a shard, their data in base64, and the iterator to go on with."""
    return _reply(await _kinesis(request).call("get_records", ShardIterator=shard_iterator))


def _put(data: bytes, key: str | float) -> Put:
    """A number is taken for its digits, as by the mapping templates."""
    return {"Data": data, "PartitionKey": key if isinstance(key, str) else str(key)}


def _data(value: msgspec.Raw) -> bytes:
    """A text is put as what it says, anything else as its JSON text."""
    line = one_line(value)
    return msgspec.json.decode(line, type=str).encode() if line.startswith(b'"') else line


def _check_management(request: Request) -> None:
    if not request.app.state.settings.manage_streams:
        raise management_refused()


def _kinesis(request: Request) -> KinesisProxy:
    return cast("KinesisProxy", request.app.state.kinesis)


def _metrics(request: Request) -> Metrics:
    return cast("Metrics", request.app.state.metrics)


def _in_flight(request: Request) -> InFlight:
    return cast("InFlight", request.app.state.in_flight)


def _reply(answer: Answer) -> Response:
    """The answer as the service words it: moments in seconds since 1970, bytes in base64."""
    content = orjson.dumps(answer, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(content, media_type="application/json")


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.timestamp()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            raise TypeError(type(value))
