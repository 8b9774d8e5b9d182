"""Consumers on a real broker: records are read once per group, from the committed offset."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest
from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from pin_pipeline.gateway.kafka import consumer_instances
from pin_pipeline.gateway.routes import consumers
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import post
from pin_pipeline_tests.gateway.consumer_requests import (
    BINARY_V2,
    JSON_V2,
    TIMEOUT_SECONDS,
    V2,
    CreateConsumer,
    assign,
    read,
    subscribe,
)
from pin_pipeline_tests.gateway.responses import assert_error
from pin_pipeline_tests.helpers.topics import produce


def test_consumer_reads_records_in_order_with_key_and_offset(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("geo")
    posted = [{"key": number, "value": {"ind": number, "country": "é"}, "partition": 0} for number in range(5)]
    post(own_gateway, topic, *posted)
    instance = create_consumer()
    subscribe(own_gateway, instance, topic)
    assert own_gateway.get(f"{instance}/subscription").json() == {"topics": [topic]}
    assert read(own_gateway, instance, 5) == [
        {"topic": topic, **record, "offset": offset} for offset, record in enumerate(posted)
    ]
    assert {"topic": topic, "partition": 0} in own_gateway.get(f"{instance}/assignments").json()["partitions"]
    assert own_gateway.delete(instance).status_code == 204
    assert_error(own_gateway.delete(instance), 404, 40403, "readers")


def test_consumer_returns_the_exact_json_text_of_a_value(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", [b'{"a": 1.10, "b":1e2}'])
    instance = create_consumer()
    subscribe(own_gateway, instance, settings.topic("pin"))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    body = b"[]"
    while body == b"[]" and time.monotonic() < deadline:
        body = own_gateway.get(f"{instance}/records", headers={"Accept": JSON_V2}).content
    assert b'"value":{"a": 1.10, "b":1e2},' in body


def test_binary_consumer_returns_any_bytes_in_base64(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", [b"\xff\x00", None])
    instance = create_consumer(format="binary")
    subscribe(own_gateway, instance, settings.topic("pin"))
    values = [record["value"] for record in read(own_gateway, instance, 2, BINARY_V2)]
    assert values == [base64.b64encode(b"\xff\x00").decode(), None]


def test_json_consumer_names_a_record_that_is_not_json_and_can_seek_past_it(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("pin")
    produce(settings, "pin", [b"no json", b"2"])
    instance = create_consumer()
    assign(own_gateway, instance, topic)
    response = own_gateway.get(f"{instance}/records", params={"timeout": 5000}, headers={"Accept": JSON_V2})
    assert_error(response, 500, 50002, f"the record in {topic}/0 at offset 0 is not JSON", "format binary")
    next_record = {"offsets": [{"topic": topic, "partition": 0, "offset": 1}]}
    assert own_gateway.post(f"{instance}/positions", json=next_record, headers=V2).status_code == 204
    assert [record["value"] for record in read(own_gateway, instance, 1)] == [2]


def test_consumer_group_resumes_after_the_committed_offset(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("user")
    produce(settings, "user", range(10))
    first = create_consumer()
    partitions = assign(own_gateway, first, topic)
    assert len(read(own_gateway, first, 10)) == 10
    fourth = {"offsets": [{"topic": topic, "partition": 0, "offset": 3}]}
    assert own_gateway.post(f"{first}/offsets", json=fourth, headers=V2).status_code == 200
    own_gateway.delete(first)
    second = create_consumer()
    assign(own_gateway, second, topic)
    committed = own_gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert committed.json()["offsets"] == [{"topic": topic, "partition": 0, "offset": 4, "metadata": ""}]
    assert [record["value"] for record in read(own_gateway, second, 6)] == [4, 5, 6, 7, 8, 9]
    assert own_gateway.post(f"{second}/offsets", headers=V2).status_code == 200
    committed = own_gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert committed.json()["offsets"][0]["offset"] == 10
    for end, values in (("beginning", list(range(10))), ("end", [])):
        assert own_gateway.post(f"{second}/positions/{end}", json=partitions, headers=V2).status_code == 204
        response = own_gateway.get(f"{second}/records", params={"timeout": 2000}, headers={"Accept": JSON_V2})
        assert [record["value"] for record in response.json()] == values


def test_consumer_limits_the_response_size_without_skipping_records(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", ["x" * 98] * 10)
    instance = create_consumer()
    assign(own_gateway, instance, settings.topic("pin"))
    offsets = []
    for size, count in ((250, 2), (1, 1), (100_000, 7)):
        parameters = {"timeout": 5000, "max_bytes": size}
        found = own_gateway.get(f"{instance}/records", params=parameters, headers={"Accept": JSON_V2}).json()
        assert len(found) == count
        offsets += [record["offset"] for record in found]
    assert offsets == list(range(10))


def test_consumer_waits_for_the_timeout_of_the_request_or_of_the_instance(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[float] = []

    def record_timeout(consumer: KafkaConsumer, timeout_seconds: float, max_bytes: int) -> list[ConsumerRecord]:
        timeouts.append(timeout_seconds)
        return consumer_instances.poll_records(consumer, 0, max_bytes)

    monkeypatch.setattr(consumers, "poll_records", record_timeout)
    for options in ({}, {"consumer.request.timeout.ms": 50}):
        instance = create_consumer(**options)
        subscribe(own_gateway, instance, settings.topic("pin"))
        own_gateway.get(f"{instance}/records", headers={"Accept": JSON_V2})
        own_gateway.get(f"{instance}/records", params={"timeout": 7}, headers={"Accept": JSON_V2})
    assert timeouts == [1, 0.007, 0.05, 0.007]


def test_consumer_instances_are_limited_and_removed_when_idle(
    own_gateway: httpx.Client, create_consumer: CreateConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_instances, "MAX_INSTANCES", 1)
    instance = create_consumer()
    refused = own_gateway.post("/consumers/others", json={}, headers=V2)
    assert_error(refused, 429, 42901)
    assert int(refused.headers["retry-after"]) > 0
    monkeypatch.setattr(consumer_instances, "IDLE_SECONDS", 0)
    create_consumer()
    assert_error(own_gateway.get(f"{instance}/subscription"), 404, 40403)


def test_consumer_name_is_unique_per_group_and_the_format_is_kept(
    own_gateway: httpx.Client, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer(name="mine")
    assert instance == "/consumers/readers/instances/mine"
    assert_error(own_gateway.post("/consumers/readers", json={"name": "mine"}, headers=V2), 409, 40902, "'mine'")
    assert own_gateway.post("/consumers/others", json={"name": "mine"}, headers=V2).status_code == 200
    assert_error(own_gateway.get(f"{instance}/records", headers={"Accept": BINARY_V2}), 406, 40601, "json")


def test_consumer_subscription_and_assignment_exclude_each_other(
    own_gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer()
    subscribe(own_gateway, instance, settings.topic("pin"))
    partitions = {"partitions": [{"topic": settings.topic("pin"), "partition": 0}]}
    assert_error(own_gateway.post(f"{instance}/assignments", json=partitions, headers=V2), 409, 40903)
    assert own_gateway.delete(f"{instance}/subscription").status_code == 204
    assign(own_gateway, instance, settings.topic("pin"))
