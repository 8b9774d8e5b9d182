"""Topic routes: producing, content negotiation and errors as in the Confluent REST Proxy."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from kafka import KafkaAdminClient

from pin_pipeline.gateway.http.backpressure import MAX_IN_FLIGHT_BYTES
from pin_pipeline.gateway.http.request_body import MAX_BODY_BYTES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, Messages, post
from pin_pipeline_tests.gateway.responses import KAFKA_V2, assert_error


def test_produce_acknowledges_a_record_in_the_format_of_the_rest_proxy(
    gateway: httpx.Client, settings: Settings
) -> None:
    response = post(gateway, settings.topic("pin"), {"value": {"index": 7528, "title": "a"}})

    assert (response.status_code, response.headers["content-type"]) == (200, KAFKA_V2)
    [offset] = response.json().pop("offsets")
    assert response.json() == {"offsets": [offset], "key_schema_id": None, "value_schema_id": None}
    assert offset == {"partition": offset["partition"], "offset": 0, "error_code": None, "error": None}


def test_produce_acknowledges_each_record_in_order(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    topic = settings.topic("geo")
    offsets = post(gateway, topic, *({"value": {"ind": n}} for n in range(200))).json()["offsets"]

    stored = messages(topic)
    assert [stored[entry["partition"]][entry["offset"]] for entry in offsets] == [
        (None, b'{"ind":%d}' % n) for n in range(200)
    ]


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.kafka.json.v2+json; charset=utf-8"])
def test_produce_accepts_other_json_media_types(gateway: httpx.Client, settings: Settings, content_type: str) -> None:
    response = gateway.post(
        f"/topics/{settings.topic('pin')}", content=b'{"records":[{"value":1}]}', headers={"Content-Type": content_type}
    )
    assert response.status_code == 200


def test_produce_decodes_base64_and_writes_null_as_a_tombstone(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    body = b'{"records":[{"key":"azE=","value":"/wAK"},{"key":"azE=","value":null}]}'
    binary = {"Content-Type": "application/vnd.kafka.binary.v2+json"}
    response = gateway.post(f"/topics/{settings.topic('pin')}", content=body, headers=binary)
    assert [offset["error_code"] for offset in response.json()["offsets"]] == [None, None]
    [stored] = [found for found in messages(settings.topic("pin")).values() if found]
    assert stored == [(b"k1", b"\xff\x00\n"), (b"k1", None)]
    for wrong in (b'"*"', b'"YQ"', b"1", b'{"a":1}'):
        refused = gateway.post(
            f"/topics/{settings.topic('pin')}", content=b'{"records":[{"value":%s}]}' % wrong, headers=binary
        )
        assert_error(refused, 422, 422, "$.records[0].value")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/vnd.kafka.v2+json; q=0.9, application/json; q=0.5", KAFKA_V2),
        ("application/vnd.kafka.v2+json;q=0.5, application/json", "application/json"),
        ("application/json", "application/json"),
        ("*/*", KAFKA_V2),
        ("text/html, application/*;q=0.1", KAFKA_V2),
    ],
)
def test_response_type_is_the_one_that_accept_prefers(gateway: httpx.Client, accept: str, media_type: str) -> None:
    response = gateway.get("/topics", headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)


def test_topics_are_listed_and_described_with_their_partitions(gateway: httpx.Client, settings: Settings) -> None:
    assert {settings.topic(record_type) for record_type in ("pin", "geo", "user")} <= set(gateway.get("/topics").json())

    topic = gateway.get(f"/topics/{settings.topic('pin')}").json()
    assert (topic["name"], topic["configs"]) == (settings.topic("pin"), {})
    assert [partition["partition"] for partition in topic["partitions"]] == [0, 1, 2]
    for partition in topic["partitions"]:
        leader = partition["leader"]
        assert partition["replicas"] == [{"broker": leader, "leader": True, "in_sync": True}]


def test_produce_uses_the_partition_and_the_key_of_the_request(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    topic = settings.topic("pin")
    records = [{"value": n, "key": {"n": n}, "partition": n} for n in range(3)]
    offsets = post(gateway, topic, *records, {"value": 3, "key": None, "partition": None}).json()["offsets"]

    assert [entry["partition"] for entry in offsets[:3]] == [0, 1, 2]
    stored = messages(topic)
    assert [stored[n][0] for n in range(3)] == [(b'{"n":%d}' % n, b"%d" % n) for n in range(3)]
    assert stored[offsets[3]["partition"]][-1] == (None, b"3")


def test_produce_reports_a_refused_record_and_stores_the_others(gateway: httpx.Client, settings: Settings) -> None:
    topic = f"{settings.prefix}.small"
    admin = KafkaAdminClient(**settings.kafka.kafka_python())
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": 1000}}})
    admin.close()

    offsets = post(gateway, topic, {"value": 1}, {"value": "x" * 3000}, {"value": 2}).json()["offsets"]
    assert [entry["offset"] for entry in offsets] == [0, None, 1]
    assert offsets[1]["error_code"] == 50002
    assert "Message size too large" in offsets[1]["error"]
    assert post(gateway, topic, {"value": 3}).json()["offsets"][0]["offset"] == 2


def test_produce_refuses_only_the_record_that_is_too_large(gateway: httpx.Client, settings: Settings) -> None:
    offsets = post(gateway, settings.topic("pin"), {"value": "x" * 2**20}, {"value": 1}).json()["offsets"]
    assert [entry["error_code"] for entry in offsets] == [50002, None]


def test_unknown_topic_is_not_found_and_not_created(gateway: httpx.Client, settings: Settings) -> None:
    topic = f"{settings.prefix}.nothing"
    assert_error(post(gateway, topic, {"value": 1}), 404, 40401, topic)
    assert_error(gateway.get(f"/topics/{topic}"), 404, 40401, topic)
    assert_error(gateway.get("/topics/no topic's name"), 404, 40401)
    assert topic not in gateway.get("/topics").json()


def test_unknown_partition_is_not_found_and_nothing_is_sent(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    topic = settings.topic("pin")
    response = post(gateway, topic, {"value": 1}, {"value": 2, "partition": 3})
    assert_error(response, 404, 40402, "partition 3", topic, "0..2")
    assert messages(topic) == {0: [], 1: [], 2: []}


@pytest.mark.parametrize("content_type", ["application/vnd.kafka.avro.v2+json", "text/plain", None])
def test_produce_refuses_other_content_types(
    gateway: httpx.Client, settings: Settings, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = gateway.post(f"/topics/{settings.topic('pin')}", content=b'{"records":[{"value":1}]}', headers=headers)
    assert_error(response, 415, 415, "application/vnd.kafka.json.v2+json")


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/vnd.kafka.v1+json"])
def test_unsupported_accept_is_not_acceptable(gateway: httpx.Client, accept: str) -> None:
    assert_error(gateway.get("/topics", headers={"Accept": accept}), 406, 406, accept)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'records': []}",
        b'{"records":[{"value":1}]',
        b'{"records":[{"value":1},]}',
        b'{"records":[{"value":1}]} x',
        b'{"records":[{"value":NaN}]}',
        b'{"records":[{"value":01}]}',
        b'{"records":[{"value":"\xff"}]}',
        b'{"records":[{"value":"\n"}]}',
        b'{"records":[{"value":"half a pair: \\ud800"}]}',
        b'{"records":[{"value" 1}]}',
        b'{"records":[{"value":' + b"[" * 100_000,
    ],
)
def test_produce_refuses_a_body_that_is_not_json(gateway: httpx.Client, settings: Settings, body: bytes) -> None:
    response = gateway.post(f"/topics/{settings.topic('pin')}", content=body, headers=JSON_V2)
    assert_error(response, 400, 400, "the body is not JSON")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `records`"),
        (b'{"records":[]}', "length >= 1 - at `$.records`"),
        (b'{"records":{"value":1}}', "Expected `array`, got `object` - at `$.records`"),
        (b'{"records":[{"value":1},7]}', "Expected `object`, got `int` - at `$.records[1]`"),
        (b'{"records":[{"vaule":1}]}', "unknown field `vaule` - at `$.records[0]`"),
        (b'{"record":[{"value":1}]}', "unknown field `record`"),
        (b'{"records":[{"value":1,"partition":"0"}]}', "got `str` - at `$.records[0].partition`"),
        (b'{"records":[{"value":1,"partition":-1}]}', "`int` >= 0 - at `$.records[0].partition`"),
        (b'{"records":[{"value":1,"partition":true}]}', "got `bool` - at `$.records[0].partition`"),
    ],
)
def test_produce_refuses_json_that_is_not_a_produce_request_and_sends_nothing(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], body: bytes, words: str
) -> None:
    topic = settings.topic("pin")
    assert_error(gateway.post(f"/topics/{topic}", content=body, headers=JSON_V2), 422, 422, words)
    assert not any(messages(topic).values())


def test_produce_refuses_a_body_beyond_the_size_limit(gateway: httpx.Client, settings: Settings) -> None:
    body = b'{"records":[{"value":"%s"}]}' % (b"x" * MAX_BODY_BYTES)
    response = gateway.post(f"/topics/{settings.topic('pin')}", content=body, headers=JSON_V2)
    assert_error(response, 413, 413, str(MAX_BODY_BYTES))


def test_produce_beyond_the_limit_of_bytes_in_flight_is_refused_until_they_are_delivered(
    own_gateway: httpx.Client, app: FastAPI, settings: Settings
) -> None:
    with app.state.in_flight.hold(MAX_IN_FLIGHT_BYTES, 0):
        response = post(own_gateway, settings.topic("pin"), {"value": 1})
    assert_error(response, 429, 42901)
    assert int(response.headers["retry-after"]) > 0
    assert post(own_gateway, settings.topic("pin"), {"value": 1}).status_code == 200


def test_unknown_routes_and_methods_get_an_error_in_the_same_format(gateway: httpx.Client) -> None:
    assert_error(gateway.get("/nothing"), 404, 404, "/nothing")
    assert_error(gateway.delete("/topics"), 405, 405, "DELETE")


def test_openapi_describes_the_routes_with_examples(gateway: httpx.Client) -> None:
    paths = gateway.get("/openapi.json").json()["paths"]
    assert {"/topics", "/topics/{topic}", "/pin/", "/geo/", "/user/", "/health", "/ready"} < set(paths)
    assert "/consumers/{group}/instances/{name}/records" in paths
    produce = paths["/topics/{topic}"]["post"]
    example = produce["requestBody"]["content"]["application/vnd.kafka.json.v2+json"]["example"]
    assert example["records"]
    assert {"200", "400", "404", "406", "413", "415", "422", "429", "503"} <= set(produce["responses"])


def test_partitions_are_listed_described_and_written_to(gateway: httpx.Client, settings: Settings) -> None:
    path = f"/topics/{settings.topic('pin')}"
    partitions = gateway.get(f"{path}/partitions").json()
    assert partitions == gateway.get(path).json()["partitions"]
    assert gateway.get(f"{path}/partitions/2").json() == partitions[2]
    body = {"records": [{"value": 1, "key": "k"}, {"value": 2}]}
    produced = gateway.post(f"{path}/partitions/2", json=body, headers=JSON_V2).json()
    assert [(offset["partition"], offset["offset"]) for offset in produced["offsets"]] == [(2, 0), (2, 1)]
    assert gateway.get(f"{path}/partitions/2/offsets").json() == {"beginning_offset": 0, "end_offset": 2}
    assert gateway.get("/brokers").json() == {"brokers": [partitions[0]["leader"]]}


def test_partition_routes_refuse_what_does_not_exist(gateway: httpx.Client, settings: Settings) -> None:
    path = f"/topics/{settings.topic('pin')}/partitions"
    for route in (f"{path}/99", f"{path}/99/offsets", f"{path}/-1"):
        assert_error(gateway.get(route), 404, 40402, "0..2")
    assert_error(gateway.get("/topics/none/partitions"), 404, 40401, "'none'")
    named = {"records": [{"value": 1, "partition": 1}]}
    assert_error(gateway.post(f"{path}/0", json=named, headers=JSON_V2), 422, 422, "names a partition")
    assert_error(gateway.post(f"{path}/99", json={"records": [{"value": 1}]}, headers=JSON_V2), 404, 40402)


def test_produce_ignores_schemas_and_writes_a_record_without_a_value_as_tombstone(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    topic = settings.topic("pin")
    body = {"value_schema": "{}", "key_schema": None, "value_schema_id": 1, "records": [{"key": 1, "partition": 0}]}
    assert gateway.post(f"/topics/{topic}", json=body, headers=JSON_V2).status_code == 200
    [(key, value)] = messages(topic)[0]
    assert key == b"1"
    assert value is None
