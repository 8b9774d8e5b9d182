"""The routes as /openapi.json describes them: what goes in, what comes out, with examples."""

from __future__ import annotations

from typing import Any

from pin_pipeline.gateway.http.media_types import BINARY_TYPES, JSON_TYPES, REPLY_TYPES, Embedded

Responses = dict[int | str, dict[str, Any]]

_INTEGER, _TEXT = {"type": "integer"}, {"type": "string"}
_OPTIONAL_INTEGER, _OPTIONAL_TEXT = {"type": ["integer", "null"]}, {"type": ["string", "null"]}


def _object(required: str = "", **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "object", "properties": properties, "required": required.split() or list(properties)}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """The schema of an array."""
    return {"type": "array", "items": items}


def _content(media_types: tuple[str, ...], schema: dict[str, Any], example: Any) -> dict[str, Any]:  # noqa: ANN401
    return {media_type: {"schema": schema, "example": example} for media_type in media_types}


def _response(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"description": description, "content": _content(REPLY_TYPES, schema, example)}


def _error(error_code: int, message: str) -> dict[str, Any]:
    schema = _object(error_code=_INTEGER, message=_TEXT)
    return _response(message, schema, {"error_code": error_code, "message": message})


_COMMON: Responses = {
    406: _error(406, "The reply cannot be written in what Accept asks for."),
    503: _error(50302, "The broker did not answer; send the request again after Retry-After seconds."),
}
_NO_TOPIC: Responses = {404: _error(40401, "The topic (40401) or a partition of it (40402) is not found.")}

LIST_TOPICS: Responses = {200: _response("The topics.", array(_TEXT), ["pinterest.geo", "pinterest.pin"]), **_COMMON}

_REPLICA = _object(broker=_INTEGER, leader={"type": "boolean"}, in_sync={"type": "boolean"})
_PARTITION = _object(partition=_INTEGER, leader=_INTEGER, replicas=array(_REPLICA))
DESCRIBE_TOPIC: Responses = {
    200: _response(
        "The topic.",
        _object(name=_TEXT, configs={"type": "object"}, partitions=array(_PARTITION)),
        {
            "name": "pinterest.pin",
            "configs": {},
            "partitions": [
                {"partition": 0, "leader": 1, "replicas": [{"broker": 1, "leader": True, "in_sync": True}]},
            ],
        },
    ),
    **_NO_TOPIC,
    **_COMMON,
}

OF_INSTANCE: Responses = {
    404: _error(40403, "The consumer instance is not found."),
    409: _error(40903, "The consumer cannot do this now, such as to read without a subscription."),
    422: _error(422, "The body or a parameter is not what it should be."),
    503: _COMMON[503],
}
CREATE_CONSUMER: Responses = {
    200: _response(
        "The instance.",
        _object(instance_id=_TEXT, base_uri=_TEXT),
        {"instance_id": "mine", "base_uri": "http://127.0.0.1:8082/consumers/readers/instances/mine"},
    ),
    409: _error(40902, "The group has an instance of that name."),
    422: OF_INSTANCE[422],
    429: _error(42901, "There are too many instances."),
}
_CONSUMED = _object(topic=_TEXT, key={}, value={}, partition=_INTEGER, offset=_INTEGER)
READ_RECORDS: Responses = {
    200: {
        "description": "The next records.",
        "content": _content(
            tuple(embedded.media_type for embedded in Embedded),
            array(_CONSUMED),
            [{"topic": "pinterest.geo", "key": None, "value": {"ind": 7528}, "partition": 0, "offset": 17}],
        ),
    },
    406: _error(40601, "The consumer embeds records in another format than Accept takes."),
    500: _error(50002, "A record is not what the consumer's format says."),
    **OF_INSTANCE,
}

_RECORD = _object("value", value={}, key={}, partition=_OPTIONAL_INTEGER)
_BASE64 = {"type": ["string", "null"], "contentEncoding": "base64"}
_BINARY_RECORD = _object("value", value=_BASE64, key=_BASE64, partition=_OPTIONAL_INTEGER)
PRODUCE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **_content(
                JSON_TYPES,
                _object(records={**array(_RECORD), "minItems": 1}),
                {
                    "records": [
                        {"value": {"ind": 7528, "country": "Albania"}},
                        {"key": 7528, "value": "text", "partition": 0},
                    ]
                },
            ),
            **_content(
                BINARY_TYPES,
                _object(records={**array(_BINARY_RECORD), "minItems": 1}),
                {"records": [{"key": "NzUyOA==", "value": "eyJpbmQiOjc1Mjh9"}]},
            ),
        },
    }
}


def json_body(schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The description of a body that is one JSON value."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


_OFFSET = _object(
    partition=_OPTIONAL_INTEGER, offset=_OPTIONAL_INTEGER, error_code=_OPTIONAL_INTEGER, error=_OPTIONAL_TEXT
)
PRODUCE: Responses = {
    200: _response(
        "What became of each record, in order.",
        _object(offsets=array(_OFFSET), key_schema_id=_OPTIONAL_INTEGER, value_schema_id=_OPTIONAL_INTEGER),
        {
            "offsets": [{"partition": 0, "offset": 17, "error_code": None, "error": None}],
            "key_schema_id": None,
            "value_schema_id": None,
        },
    ),
    400: _error(400, "The body is not JSON."),
    **_NO_TOPIC,
    413: _error(413, "The body is too large."),
    415: _error(415, "The records are embedded neither as JSON nor as binary."),
    422: _error(422, "The body is no produce request."),
    429: _error(42901, "Too many records wait for the broker; send this again after Retry-After seconds."),
    **_COMMON,
}
_TOO_LARGE = _error(413, "The body is too large.")
_BUSY = _error(42901, "Too many records wait for the broker; send this again after Retry-After seconds.")
_NOT_TAKEN: Responses = {
    400: _error(400, "The body is not JSON."),
    413: _TOO_LARGE,
    422: _error(422, "A record does not fit its kind, or the broker refuses it."),
    429: _BUSY,
    503: _COMMON[503],
}
_POSTED = _object(topic=_TEXT, partition=_INTEGER, offset=_INTEGER)
POST: Responses = {
    200: {
        "description": "Where the record is.",
        "content": _content(("application/json",), _POSTED, {"topic": "pinterest.pin", "partition": 0, "offset": 17}),
    },
    **_NOT_TAKEN,
}
POST_MANY: Responses = {
    200: {
        "description": "What became of each record, in order.",
        "content": _content(
            ("application/json",),
            _object(topic=_TEXT, offsets=array(_OFFSET)),
            {
                "topic": "pinterest.pin",
                "offsets": [{"partition": 0, "offset": 17, "error_code": None, "error": None}],
            },
        ),
    },
    **_NOT_TAKEN,
}


def _stream_error(record_type: str, message: str) -> dict[str, Any]:
    schema = _object(__type=_TEXT, message=_TEXT)
    return {"description": message, "content": _content((_JSON,), schema, {"__type": record_type, "message": message})}


def _answers(description: str, schema: dict[str, Any], example: Any) -> Responses:  # noqa: ANN401
    return {
        200: {"description": description, "content": _content((_JSON,), schema, example)},
        400: _stream_error("ResourceNotFoundException", "What Kinesis refuses, such as a stream that is not there."),
        429: _stream_error("ProvisionedThroughputExceededException", "Send this again after Retry-After seconds."),
        503: _stream_error("ServiceUnavailable", "Kinesis did not answer; send this again after Retry-After seconds."),
    }


_JSON = "application/json"
_SEQUENCE_NUMBER, _SHARD = "49590338271490256608559692538361571095921575989136588898", "shardId-000000000000"
LIST_STREAMS = _answers(
    "The streams.",
    _object("StreamNames HasMoreStreams", StreamNames=array(_TEXT), HasMoreStreams={"type": "boolean"}),
    {"StreamNames": ["streaming-pinterest-pin"], "HasMoreStreams": False},
)
DESCRIBE_STREAM = _answers(
    "The stream.",
    _object(StreamDescription={"type": "object"}),
    {"StreamDescription": {"StreamName": "streaming-pinterest-pin", "StreamStatus": "ACTIVE", "Shards": []}},
)
MANAGE_STREAM: Responses = {
    **_answers("Done.", {"type": "object"}, {}),
    403: _stream_error("AccessDeniedException", "Creating and deleting streams is not switched on."),
}
CREATE_STREAM_BODY = json_body(_object("", ShardCount={**_INTEGER, "minimum": 1, "default": 5}), required=False)
_STORED = _object("ShardId SequenceNumber", ShardId=_TEXT, SequenceNumber=_TEXT)
PUT_RECORD = _answers("Where the record is.", _STORED, {"ShardId": _SHARD, "SequenceNumber": _SEQUENCE_NUMBER})
PUT_RECORD_BODY = json_body(
    {
        **_object("Data PartitionKey", StreamName=_TEXT, Data={}, PartitionKey=_TEXT),
        "example": {"Data": {"ind": 7528, "country": "Albania"}, "PartitionKey": "geo"},
    }
)
_OUTCOME = _object("", ShardId=_TEXT, SequenceNumber=_TEXT, ErrorCode=_TEXT, ErrorMessage=_TEXT)
PUT_RECORDS = _answers(
    "What became of each record, in order.",
    _object(FailedRecordCount=_INTEGER, Records=array(_OUTCOME)),
    {"FailedRecordCount": 0, "Records": [{"ShardId": _SHARD, "SequenceNumber": _SEQUENCE_NUMBER}]},
)
_PUT = _object("data partition-key", data={}, **{"partition-key": _TEXT})
PUT_RECORDS_BODY = json_body(
    {
        **_object(records={**array(_PUT), "minItems": 1}),
        "example": {"records": [{"data": '{"ind": 7528}', "partition-key": "geo"}]},
    }
)
SHARD_ITERATOR = _answers("The iterator.", _object(ShardIterator=_TEXT), {"ShardIterator": "AAAAAAAAAAHL"})
_GOT = _object(Data=_TEXT, PartitionKey=_TEXT, SequenceNumber=_TEXT, ApproximateArrivalTimestamp={"type": "number"})
GET_RECORDS = _answers(
    "The next records.",
    _object("Records MillisBehindLatest", Records=array(_GOT), NextShardIterator=_TEXT, MillisBehindLatest=_INTEGER),
    {"Records": [], "NextShardIterator": "AAAAAAAAAAHM", "MillisBehindLatest": 0},
)

_PARTS = _object("", kafka=_TEXT, kinesis=_TEXT)
READY: Responses = {
    200: {
        "description": "All parts answer.",
        "content": _content(
            (_JSON,),
            _object(status=_TEXT, parts=_PARTS),
            {"status": "ready", "parts": {"kafka": "ready", "kinesis": "ready"}},
        ),
    },
    503: _response(
        "Which parts are down.",
        _object(error_code=_INTEGER, message=_TEXT, parts=_PARTS),
        {
            "error_code": 50302,
            "message": "Kafka broker 127.0.0.1:9092 did not answer",
            "parts": {"kafka": "down", "kinesis": "ready"},
        },
    ),
}
