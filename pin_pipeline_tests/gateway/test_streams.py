"""Kinesis over REST, as the requests of API Gateway's Kinesis tutorial and the clients of the original system have it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import httpx
import pytest

from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.helpers.rows import geo

pytestmark = pytest.mark.usefixtures("streams")


def read(gateway: httpx.Client, stream: str) -> list[tuple[str, bytes]]:
    """All records of a stream, by the way of the tutorial: partition key and data."""
    found = []
    for shard in gateway.get(f"/streams/{stream}").json()["StreamDescription"]["Shards"]:
        reply = gateway.get(f"/streams/{stream}/sharditerator", params={"shard-id": shard["ShardId"]})
        reply = gateway.get(f"/streams/{stream}/records", headers={"Shard-Iterator": reply.json()["ShardIterator"]})
        found += [(each["PartitionKey"], base64.b64decode(each["Data"])) for each in reply.json()["Records"]]
    return found


def refusal(reply: httpx.Response) -> tuple[int, str]:
    assert set(reply.json()) == {"__type", "message"}
    return reply.status_code, reply.json()["__type"]


def test_the_request_of_the_original_clients_puts_the_row_as_its_json_text(
    gateway: httpx.Client, streams: dict[str, str]
) -> None:
    # To the letter what those scripts send: the body names a stream too, and the row is an object.
    row = geo(7) | {"timestamp": "2021-08-03 04:15:27"}
    body = json.dumps({"StreamName": "another", "Data": row, "PartitionKey": "partition-1"}, default=str)
    reply = gateway.put(f"/streams/{streams['geo']}/record", content=body, headers={"Content-Type": "application/json"})

    assert reply.status_code == 200, reply.text
    assert set(reply.json()) >= {"ShardId", "SequenceNumber"}
    assert read(gateway, streams["geo"]) == [("partition-1", json.dumps(row).encode())]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_streams_are_below_any_stage_too(gateway: httpx.Client, streams: dict[str, str], stage: str) -> None:
    reply = gateway.put(f"/{stage}/streams/{streams['pin']}/record", json={"Data": 1, "PartitionKey": "a"})
    assert reply.status_code == 200
    assert refusal(gateway.put(f"/{stage}/streams/nothing/record", json={"Data": 1, "PartitionKey": "a"}))[0] == 400


def test_many_records_are_put_in_one_request_as_the_tutorial_has_it(
    gateway: httpx.Client, streams: dict[str, str]
) -> None:
    records = [
        {"data": "some data", "partition-key": "k1"},
        {"data": "ü\n\u2028", "partition-key": "k1"},
        {"data": {"ind": 1, "amount": 1.50}, "partition-key": 7},
    ]
    body = json.dumps({"records": records}, ensure_ascii=False).replace("1.5", "1.50")
    reply = gateway.put(f"/streams/{streams['pin']}/records", content=body.encode())

    assert reply.status_code == 200, reply.text
    assert reply.json()["FailedRecordCount"] == 0
    assert [set(outcome) >= {"ShardId", "SequenceNumber"} for outcome in reply.json()["Records"]] == [True] * 3
    # A text is put as what it says, an object as the text it was sent in.
    expected = [("k1", b"some data"), ("k1", "ü\n\u2028".encode()), ("7", b'{"ind": 1, "amount": 1.50}')]
    assert sorted(read(gateway, streams["pin"])) == sorted(expected)


def test_streams_are_listed_and_described(gateway: httpx.Client, streams: dict[str, str]) -> None:
    listed = gateway.get("/streams").json()
    assert isinstance(listed["HasMoreStreams"], bool)
    described = gateway.get(f"/streams/{streams['user']}").json()["StreamDescription"]
    assert described["StreamName"] == streams["user"]
    assert described["StreamStatus"] == "ACTIVE"
    assert isinstance(described["StreamCreationTimestamp"], float)


def test_an_iterator_goes_on_where_the_last_reply_ended(gateway: httpx.Client, streams: dict[str, str]) -> None:
    path = f"/streams/{streams['pin']}"
    shard = gateway.put(f"{path}/record", json={"Data": 1, "PartitionKey": "a"}).json()["ShardId"]
    iterator = gateway.get(f"{path}/sharditerator", params={"shard-id": shard}).json()["ShardIterator"]
    first = gateway.get(f"{path}/records", headers={"Shard-Iterator": iterator}).json()
    gateway.put(f"{path}/record", json={"Data": 2, "PartitionKey": "a"})
    second = gateway.get(f"{path}/records", headers={"Shard-Iterator": first["NextShardIterator"]}).json()
    assert [[base64.b64decode(each["Data"]) for each in reply["Records"]] for reply in (first, second)] == [
        [b"1"],
        [b"2"],
    ]


def test_streams_are_neither_created_nor_deleted_unless_that_is_switched_on(
    gateway: httpx.Client, streams: dict[str, str]
) -> None:
    assert refusal(gateway.post(f"/streams/{streams['pin']}-new", json={})) == (403, "AccessDeniedException")
    assert refusal(gateway.delete(f"/streams/{streams['pin']}")) == (403, "AccessDeniedException")
    assert gateway.get(f"/streams/{streams['pin']}").status_code == 200
    assert refusal(gateway.get(f"/streams/{streams['pin']}-new")) == (400, "ResourceNotFoundException")


@pytest.mark.parametrize(("body", "shards"), [(b"", 5), (b"{}", 5), (b'{"ShardCount": 2}', 2)])
def test_a_stream_is_created_with_five_shards_where_nobody_says_otherwise_and_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, body: bytes, shards: int
) -> None:
    monkeypatch.setenv("PIN_GATEWAY_MANAGE_STREAMS", "1")
    path = f"/streams/{settings.prefix}-new"
    with serving(create_app()) as gateway:
        assert gateway.post(path, content=body).status_code == 200
        assert len(gateway.get(path).json()["StreamDescription"]["Shards"]) == shards
        assert refusal(gateway.post(path, content=body)) == (400, "ResourceInUseException")
        assert gateway.delete(path).status_code == 200
        assert refusal(gateway.get(path)) == (400, "ResourceNotFoundException")


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
def test_a_request_that_kinesis_would_not_take_is_refused_by_name_and_nothing_is_put(
    gateway: httpx.Client, streams: dict[str, str], path: str, body: bytes, words: str
) -> None:
    reply = gateway.put(f"/streams/{streams['pin']}/{path}", content=body)
    assert refusal(reply) == (400, "ValidationException")
    assert words in reply.json()["message"]
    assert read(gateway, streams["pin"]) == []


def test_reading_needs_a_shard_and_an_iterator_that_are_there(gateway: httpx.Client, streams: dict[str, str]) -> None:
    path = f"/streams/{streams['pin']}"
    assert refusal(gateway.get(f"{path}/sharditerator")) == (400, "ValidationException")
    assert refusal(gateway.get(f"{path}/sharditerator?shard-id=9")) == (400, "ResourceNotFoundException")
    assert refusal(gateway.get(f"{path}/records")) == (400, "ValidationException")
    nowhere = gateway.get(f"{path}/records", headers={"Shard-Iterator": "nowhere"})
    assert refusal(nowhere) == (400, "InvalidArgumentException")
    assert refusal(gateway.patch(path)) == (405, "MethodNotAllowed")


@pytest.fixture
def nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the gateway looks for Kinesis, and nobody answers."""
    assert settings.kinesis_endpoint_url
    address = f"http://127.0.0.1:{ports.free()}"
    monkeypatch.setenv("PIN_KINESIS_ENDPOINT_URL", address)
    return address


def test_without_kinesis_callers_hear_where_it_was_looked_for_and_topics_go_on(nobody: str) -> None:
    with serving(create_app()) as gateway:
        reply = gateway.put("/streams/any/record", json={"Data": 1, "PartitionKey": "a"})
        assert refusal(reply) == (503, "ServiceUnavailable")
        assert nobody in reply.json()["message"]
        assert reply.headers["retry-after"] == "1"
        assert gateway.get("/topics").status_code == 200


class Throttle:
    """Stands before Kinesis and refuses records, as a shard that has had enough does; what it lets through is put."""

    def __init__(self, endpoint_url: str) -> None:
        self.refused: dict[str, int] = {}
        self.asked: list[list[str]] = []
        throttle = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = throttle.answer(endpoint_url, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, endpoint_url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if not headers["X-Amz-Target"].endswith("PutRecords"):
            reply = httpx.post(endpoint_url, content=body, headers=headers)
            return reply.status_code, reply.content
        request = json.loads(body)
        keys = [record["PartitionKey"] for record in request["Records"]]
        self.asked.append(keys)
        outcomes: list[dict[str, Any] | None] = [None] * len(keys)
        for position, key in enumerate(keys):
            if self.refused.get(key, 0) > 0:
                self.refused[key] -= 1
                outcomes[position] = {
                    "ErrorCode": "ProvisionedThroughputExceededException",
                    "ErrorMessage": "Rate exceeded for shard shardId-000000000000",
                }
        through = [record for record, outcome in zip(request["Records"], outcomes, strict=True) if outcome is None]
        if through:
            kinesis = boto3.client("kinesis", endpoint_url=endpoint_url, region_name="us-east-1")
            for record in through:
                record["Data"] = base64.b64decode(record["Data"])
            put = iter(kinesis.put_records(StreamName=request["StreamName"], Records=through)["Records"])
            outcomes = [outcome or next(put) for outcome in outcomes]
        failed = sum("ErrorCode" in (outcome or {}) for outcome in outcomes)
        return 200, json.dumps({"FailedRecordCount": failed, "Records": outcomes}).encode()


@pytest.fixture
def throttle(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Throttle]:
    assert settings.kinesis_endpoint_url
    throttle = Throttle(settings.kinesis_endpoint_url)
    monkeypatch.setenv("PIN_KINESIS_ENDPOINT_URL", throttle.address)
    with throttle.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield throttle
        server.shutdown()


def put_three(stream: str) -> tuple[httpx.Response, list[tuple[str, bytes]]]:
    with serving(create_app()) as gateway:
        records = [{"data": key, "partition-key": key} for key in "abc"]
        reply = gateway.put(f"/streams/{stream}/records", json={"records": records})
        return reply, sorted(read(gateway, stream))


def test_records_that_were_refused_alone_are_put_again_and_no_others(
    throttle: Throttle, streams: dict[str, str]
) -> None:
    throttle.refused = {"b": 2, "c": 1}
    reply, stored = put_three(streams["pin"])
    assert throttle.asked == [["a", "b", "c"], ["b", "c"], ["b"]]
    assert reply.json()["FailedRecordCount"] == 0
    assert stored == [("a", b"a"), ("b", b"b"), ("c", b"c")]


def test_a_record_that_is_refused_for_good_says_so_in_its_place(throttle: Throttle, streams: dict[str, str]) -> None:
    throttle.refused = {"b": 100}
    reply, stored = put_three(streams["pin"])
    assert reply.status_code == 200
    assert reply.json()["FailedRecordCount"] == 1
    codes = [outcome.get("ErrorCode") for outcome in reply.json()["Records"]]
    assert codes == [None, "ProvisionedThroughputExceededException", None]
    assert stored == [("a", b"a"), ("c", b"c")]
