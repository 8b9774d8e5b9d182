"""Kinesis routes, with the requests of API Gateway's Kinesis tutorial and of the clients of the original system.

https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
"""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from pin_pipeline.gateway.app import create_app
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.gateway.responses import kinesis_error
from pin_pipeline_tests.helpers.rows import geo

pytestmark = pytest.mark.usefixtures("streams")


def read(gateway: httpx.Client, stream: str) -> list[tuple[str, bytes]]:
    """Read all records of a stream with the requests of the tutorial: partition key and data."""
    found = []
    for shard in gateway.get(f"/streams/{stream}").json()["StreamDescription"]["Shards"]:
        response = gateway.get(f"/streams/{stream}/sharditerator", params={"shard-id": shard["ShardId"]})
        response = gateway.get(
            f"/streams/{stream}/records", headers={"Shard-Iterator": response.json()["ShardIterator"]}
        )
        found += [(each["PartitionKey"], base64.b64decode(each["Data"])) for each in response.json()["Records"]]
    return found


def test_put_record_stores_the_json_text_that_the_original_clients_send(
    gateway: httpx.Client, streams: dict[str, str]
) -> None:
    # The exact request of those scripts: the body names a stream as well, and the row is an object.
    row = geo(7) | {"timestamp": "2021-08-03 04:15:27"}
    body = json.dumps({"StreamName": "another", "Data": row, "PartitionKey": "partition-1"}, default=str)
    response = gateway.put(
        f"/streams/{streams['geo']}/record", content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 200, response.text
    assert set(response.json()) >= {"ShardId", "SequenceNumber"}
    assert read(gateway, streams["geo"]) == [("partition-1", json.dumps(row).encode())]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_streams_accept_a_stage_prefix(gateway: httpx.Client, streams: dict[str, str], stage: str) -> None:
    response = gateway.put(f"/{stage}/streams/{streams['pin']}/record", json={"Data": 1, "PartitionKey": "a"})
    assert response.status_code == 200
    assert (
        kinesis_error(gateway.put(f"/{stage}/streams/nothing/record", json={"Data": 1, "PartitionKey": "a"}))[0] == 400
    )


def test_put_records_accepts_the_request_of_the_tutorial(gateway: httpx.Client, streams: dict[str, str]) -> None:
    records = [
        {"data": "some data", "partition-key": "k1"},
        {"data": "ü\n\u2028", "partition-key": "k1"},
        {"data": {"ind": 1, "amount": 1.50}, "partition-key": 7},
    ]
    body = json.dumps({"records": records}, ensure_ascii=False).replace("1.5", "1.50")
    response = gateway.put(f"/streams/{streams['pin']}/records", content=body.encode())

    assert response.status_code == 200, response.text
    assert response.json()["FailedRecordCount"] == 0
    assert [set(result) >= {"ShardId", "SequenceNumber"} for result in response.json()["Records"]] == [True] * 3
    # The data is the content of a string, or the exact JSON text of an object.
    expected = [("k1", b"some data"), ("k1", "ü\n\u2028".encode()), ("7", b'{"ind": 1, "amount": 1.50}')]
    assert sorted(read(gateway, streams["pin"])) == sorted(expected)


def test_streams_are_listed_and_described(gateway: httpx.Client, streams: dict[str, str]) -> None:
    listed = gateway.get("/streams").json()
    assert isinstance(listed["HasMoreStreams"], bool)
    described = gateway.get(f"/streams/{streams['user']}").json()["StreamDescription"]
    assert described["StreamName"] == streams["user"]
    assert described["StreamStatus"] == "ACTIVE"
    assert isinstance(described["StreamCreationTimestamp"], float)


def test_shard_iterator_continues_after_the_previous_response(gateway: httpx.Client, streams: dict[str, str]) -> None:
    path = f"/streams/{streams['pin']}"
    shard = gateway.put(f"{path}/record", json={"Data": 1, "PartitionKey": "a"}).json()["ShardId"]
    iterator = gateway.get(f"{path}/sharditerator", params={"shard-id": shard}).json()["ShardIterator"]
    first = gateway.get(f"{path}/records", headers={"Shard-Iterator": iterator}).json()
    gateway.put(f"{path}/record", json={"Data": 2, "PartitionKey": "a"})
    second = gateway.get(f"{path}/records", headers={"Shard-Iterator": first["NextShardIterator"]}).json()
    assert [[base64.b64decode(each["Data"]) for each in response["Records"]] for response in (first, second)] == [
        [b"1"],
        [b"2"],
    ]


def test_streams_are_not_created_or_deleted_by_default(gateway: httpx.Client, streams: dict[str, str]) -> None:
    assert kinesis_error(gateway.post(f"/streams/{streams['pin']}-new", json={})) == (403, "AccessDeniedException")
    assert kinesis_error(gateway.delete(f"/streams/{streams['pin']}")) == (403, "AccessDeniedException")
    assert gateway.get(f"/streams/{streams['pin']}").status_code == 200
    assert kinesis_error(gateway.get(f"/streams/{streams['pin']}-new")) == (400, "ResourceNotFoundException")


@pytest.mark.parametrize(("body", "shards"), [(b"", 5), (b"{}", 5), (b'{"ShardCount": 2}', 2)])
def test_stream_management_creates_streams_with_five_shards_by_default_and_deletes_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, body: bytes, shards: int
) -> None:
    monkeypatch.setenv("PIN_GATEWAY_MANAGE_STREAMS", "1")
    path = f"/streams/{settings.prefix}-new"
    with serving(create_app()) as gateway:
        assert gateway.post(path, content=body).status_code == 200
        assert len(gateway.get(path).json()["StreamDescription"]["Shards"]) == shards
        assert kinesis_error(gateway.post(path, content=body)) == (400, "ResourceInUseException")
        assert gateway.delete(path).status_code == 200
        assert kinesis_error(gateway.get(path)) == (400, "ResourceNotFoundException")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("record", b"", "the body is not JSON"),
        ("record", b"[]", "Expected `object`, got `array`"),
        ("record", b"{", "the body is not JSON"),
        ("record", b'{"PartitionKey": "a"}', "missing required field `Data`"),
        ("record", b'{"Data": 1}', "missing required field `PartitionKey`"),
        ("record", b'{"Data": 1, "PartitionKey": null}', "got `null` - at `$.PartitionKey`"),
        ("record", b'{"Data": NaN, "PartitionKey": "a"}', "the body is not JSON"),
        ("record", b'{"Data": "\xff", "PartitionKey": "a"}', "the body is not JSON"),
        ("record", b'{"Data": 1, "PartitionKey": ""}', "length >= 1 - at `$.PartitionKey`"),
        ("record", b'{"Data": 1, "PartitionKey": "%s"}' % (b"k" * 257), "256"),
        ("record", b'{"Data": "%s", "PartitionKey": "a"}' % (b"x" * 2**20), "1048576"),
        ("records", b"{}", "missing required field `records`"),
        ("records", b'{"records": []}', "length >= 1 - at `$.records`"),
        ("records", b'{"records": {}}', "Expected `array`, got `object` - at `$.records`"),
        ("records", b'{"records": [1]}', "Expected `object`, got `int` - at `$.records[0]`"),
        ("records", b'{"records": [{"partition-key": "a"}]}', "missing required field `data` - at `$.records[0]`"),
        ("records", b'{"records": [{"data": "a"}]}', "missing required field `partition-key` - at `$.records[0]`"),
        ("records", b'{"records": [{"data": "\\ud800", "partition-key": "a"}]}', "the body is not JSON"),
        ("records", b'{"records": [%s]}' % b",".join([b'{"data":"a","partition-key":"a"}'] * 501), "500"),
        ("records", b'{"records": [{"data": "a", "partition-key": "a"}]} x', "trailing characters"),
    ],
)
def test_streams_refuse_invalid_requests_with_a_validation_exception_and_store_nothing(
    gateway: httpx.Client, streams: dict[str, str], path: str, body: bytes, words: str
) -> None:
    response = gateway.put(f"/streams/{streams['pin']}/{path}", content=body)
    assert kinesis_error(response) == (400, "ValidationException")
    assert words in response.json()["message"]
    assert read(gateway, streams["pin"]) == []


def test_streams_are_read_only_with_an_existing_shard_and_a_valid_iterator(
    gateway: httpx.Client, streams: dict[str, str]
) -> None:
    path = f"/streams/{streams['pin']}"
    assert kinesis_error(gateway.get(f"{path}/sharditerator")) == (400, "ValidationException")
    assert kinesis_error(gateway.get(f"{path}/sharditerator?shard-id=9")) == (400, "ResourceNotFoundException")
    assert kinesis_error(gateway.get(f"{path}/records")) == (400, "ValidationException")
    invalid = gateway.get(f"{path}/records", headers={"Shard-Iterator": "nowhere"})
    assert kinesis_error(invalid) == (400, "InvalidArgumentException")
    assert kinesis_error(gateway.patch(path)) == (405, "MethodNotAllowed")


def test_streams_are_listed_in_pages(gateway: httpx.Client, streams: dict[str, str]) -> None:
    first, second, third = sorted(streams.values())
    prefix = {"ExclusiveStartStreamName": first[:-1]}
    page = gateway.get("/streams", params={**prefix, "Limit": 2}).json()
    assert (page["StreamNames"], page["HasMoreStreams"]) == ([first, second], True)
    following = gateway.get("/streams", params={"ExclusiveStartStreamName": second}).json()
    assert following["StreamNames"][0] == third
    assert gateway.get("/streams", params={"Limit": 0}).status_code == 400
