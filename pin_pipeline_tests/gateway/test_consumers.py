"""Consumers on a real broker: records are read once per group, from the committed offset."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import httpx
import pytest
from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from pin_pipeline.gateway.kafka import consumer_instances, polling, topic_pattern
from pin_pipeline.gateway.routes import consumed_records, consumers
from pin_pipeline.kafka.topics import create_topics
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

T = TypeVar("T")


def test_consumer_reads_records_in_order_with_key_and_offset(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("geo")
    posted = [{"key": number, "value": {"ind": number, "country": "é"}, "partition": 0} for number in range(5)]
    post(gateway, topic, *posted)
    instance = create_consumer()
    subscribe(gateway, instance, topic)
    assert gateway.get(f"{instance}/subscription").json() == {"topics": [topic]}
    assert read(gateway, instance, 5) == [
        {"topic": topic, **record, "offset": offset} for offset, record in enumerate(posted)
    ]
    assert {"topic": topic, "partition": 0} in gateway.get(f"{instance}/assignments").json()["partitions"]
    assert gateway.delete(instance).status_code == 204
    assert_error(gateway.delete(instance), 404, 40403, instance.rpartition("/")[2])


def test_consumer_returns_the_exact_json_text_of_a_value(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", [b'{"a": 1.10, "b":1e2}'])
    instance = create_consumer()
    subscribe(gateway, instance, settings.topic("pin"))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    body = b"[]"
    while body == b"[]" and time.monotonic() < deadline:
        body = gateway.get(f"{instance}/records", headers={"Accept": JSON_V2}).content
    assert b'"value":{"a": 1.10, "b":1e2},' in body


def test_binary_consumer_returns_any_bytes_in_base64(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", [b"\xff\x00", None])
    instance = create_consumer(format="binary")
    subscribe(gateway, instance, settings.topic("pin"))
    values = [record["value"] for record in read(gateway, instance, 2, BINARY_V2)]
    assert values == [base64.b64encode(b"\xff\x00").decode(), None]


def test_json_consumer_names_a_record_that_is_not_json_and_can_seek_past_it(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("pin")
    produce(settings, "pin", [b"no json", b"2"])
    instance = create_consumer()
    assign(gateway, instance, topic)
    response = gateway.get(f"{instance}/records", params={"timeout": 5000}, headers={"Accept": JSON_V2})
    assert_error(response, 500, 50002, f"the record in {topic}/0 at offset 0 is not JSON", "format binary")
    next_record = {"offsets": [{"topic": topic, "partition": 0, "offset": 1}]}
    assert gateway.post(f"{instance}/positions", json=next_record, headers=V2).status_code == 204
    assert [record["value"] for record in read(gateway, instance, 1)] == [2]


def test_consumer_group_resumes_after_the_committed_offset(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("user")
    produce(settings, "user", range(10))
    first = create_consumer()
    partitions = assign(gateway, first, topic)
    assert len(read(gateway, first, 10)) == 10
    fourth = {"offsets": [{"topic": topic, "partition": 0, "offset": 3}]}
    assert gateway.post(f"{first}/offsets", json=fourth, headers=V2).status_code == 200
    gateway.delete(first)
    second = create_consumer()
    assign(gateway, second, topic)
    committed = gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert committed.json()["offsets"] == [{"topic": topic, "partition": 0, "offset": 4, "metadata": ""}]
    assert [record["value"] for record in read(gateway, second, 6)] == [4, 5, 6, 7, 8, 9]
    assert gateway.post(f"{second}/offsets", headers=V2).status_code == 200
    committed = gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert committed.json()["offsets"][0]["offset"] == 10
    for end, values in (("beginning", list(range(10))), ("end", [])):
        assert gateway.post(f"{second}/positions/{end}", json=partitions, headers=V2).status_code == 204
        response = gateway.get(f"{second}/records", params={"timeout": 2000}, headers={"Accept": JSON_V2})
        assert [record["value"] for record in response.json()] == values


def test_consumer_limits_the_response_size_without_skipping_records(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "pin", ["x" * 98] * 10)
    instance = create_consumer()
    assign(gateway, instance, settings.topic("pin"))
    offsets = []
    for size, count in ((250, 2), (1, 1), (100_000, 7)):
        parameters = {"timeout": 5000, "max_bytes": size}
        found = gateway.get(f"{instance}/records", params=parameters, headers={"Accept": JSON_V2}).json()
        assert len(found) == count
        offsets += [record["offset"] for record in found]
    assert offsets == list(range(10))


def test_consumer_waits_for_the_timeout_of_the_request_or_of_the_instance(
    own_gateway: httpx.Client, settings: Settings, create_own_consumer: CreateConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[tuple[float, int]] = []

    def record_wait(
        consumer: KafkaConsumer, convert: Callable[[ConsumerRecord], T], timeout_seconds: float, max_bytes: int
    ) -> list[T]:
        waits.append((timeout_seconds, max_bytes))
        return polling.read_records(consumer, convert, 0, max_bytes)

    monkeypatch.setattr(consumed_records, "read_records", record_wait)
    largest = consumers.MAX_RESPONSE_BYTES
    for options in ({}, {"consumer.request.timeout.ms": 50}, {"consumer.request.timeout.ms": "60000"}):
        instance = create_own_consumer(**options)
        assign(own_gateway, instance, settings.topic("pin"))
        for parameters in ({}, {"timeout": 7, "max_bytes": 10**9}, {"timeout": 60_000, "max_bytes": -1}):
            own_gateway.get(f"{instance}/records", params=parameters, headers={"Accept": JSON_V2})
    explicit = [(0.007, largest), (30, largest)]
    assert waits == [(1, largest), *explicit, (0.05, largest), *explicit, (30, largest), *explicit]


def test_consumer_instances_are_limited_and_removed_when_idle(
    own_gateway: httpx.Client, create_own_consumer: CreateConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_instances, "MAX_INSTANCES", 1)
    instance = create_own_consumer()
    refused = own_gateway.post("/consumers/others", json={}, headers=V2)
    assert_error(refused, 429, 42901)
    assert int(refused.headers["retry-after"]) > 0
    monkeypatch.setattr(consumer_instances, "IDLE_SECONDS", 0)
    create_own_consumer()
    assert_error(own_gateway.get(f"{instance}/subscription"), 404, 40403)


def test_consumer_name_is_unique_per_group_and_the_format_is_kept(
    gateway: httpx.Client, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer(name="mine")
    group, _, name = instance.partition("/instances/")
    assert name == "mine"
    assert_error(gateway.post(group, json={"name": "mine"}, headers=V2), 409, 40902, "'mine'")
    assert gateway.post("/consumers/others", json={"name": "mine"}, headers=V2).status_code == 200
    assert_error(gateway.get(f"{instance}/records", headers={"Accept": BINARY_V2}), 406, 40601, "json")


def test_consumer_subscription_and_assignment_exclude_each_other(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer()
    subscribe(gateway, instance, settings.topic("pin"))
    partitions = {"partitions": [{"topic": settings.topic("pin"), "partition": 0}]}
    assert_error(gateway.post(f"{instance}/assignments", json=partitions, headers=V2), 409, 40903)
    assert gateway.delete(f"{instance}/subscription").status_code == 204
    assign(gateway, instance, settings.topic("pin"))


NAMES = ["a?b#c", "%41", "a%2Fb", "a b", "ü", "a:b@c&d=e+f;g", "'\"<>|{}"]


@pytest.mark.parametrize("name", NAMES)
def test_consumer_name_survives_in_the_address_of_the_instance(gateway: httpx.Client, name: str) -> None:
    group = f"my/{name}"
    created = gateway.post(f"/consumers/{quote(group, safe='')}", json={"name": name}, headers=V2)
    assert (created.status_code, created.json()["instance_id"]) == (200, name)
    address = created.json()["base_uri"]
    assert gateway.get(f"{address}/subscription").json() == {"topics": []}
    assert_error(gateway.get(f"{address}x/subscription"), 404, 40403, repr(f"{name}x"), repr(group))
    assert gateway.delete(address).status_code == 204


def test_consumer_is_created_without_a_body_and_with_the_strings_and_media_types_that_clients_send(
    gateway: httpx.Client, settings: Settings
) -> None:
    for content, content_type in (
        (None, V2["Content-Type"]),
        (b"", "text/plain"),
        (b"{}", BINARY_V2),
        (b'{"auto.commit.enable": "false", "fetch.min.bytes": "-1"}', JSON_V2),
        (b"{}", "application/json; charset=utf-8"),
    ):
        created = gateway.post("/consumers/readers", content=content, headers={"Content-Type": content_type})
        address = created.json()["base_uri"]
        headers = {"Content-Type": JSON_V2, "Accept": BINARY_V2}
        body = json.dumps({"topics": [settings.topic("pin")]})
        assert gateway.post(f"{address}/subscription", content=body, headers=headers).status_code == 204
        assert gateway.get(f"{address}/records?timeout=0", headers=headers).json() == []
        assert gateway.delete(address, headers=headers).status_code == 204


def test_first_read_after_subscribing_returns_records(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    produce(settings, "geo", [1])
    for subscription in ({"topics": [settings.topic("geo")]}, {"topic_pattern": f"{settings.prefix}[.](geo|user)"}):
        instance = create_consumer()
        assert gateway.post(f"{instance}/subscription", json=subscription, headers=V2).status_code == 204
        response = gateway.get(f"{instance}/records", headers={"Accept": JSON_V2})
        assert [record["value"] for record in response.json()] == [1]
        gateway.delete(instance)


def test_pattern_subscribes_to_whole_names_and_to_topics_created_later(
    own_gateway: httpx.Client, settings: Settings, create_own_consumer: CreateConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_pattern, "REFRESH_SECONDS", 0)
    later = f"{settings.prefix}-later.pin"
    instance = create_own_consumer()
    pattern = {"topic_pattern": f"{settings.prefix}-l.*"}
    assert own_gateway.post(f"{instance}/subscription", json=pattern, headers=V2).status_code == 204
    assert own_gateway.get(f"{instance}/subscription").json() == {"topics": []}
    assert read(own_gateway, instance, 0) == []
    create_topics(settings.kafka, [later])
    post(own_gateway, later, {"value": 1})
    assert [record["topic"] for record in read(own_gateway, instance, 1)] == [later]
    assert own_gateway.get(f"{instance}/subscription").json() == {"topics": [later]}


def test_unreadable_record_keeps_no_other_record_from_being_delivered_and_is_not_committed(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    topic = settings.topic("pin")
    produce(settings, "pin", [b"1", b"no json", b"2"])
    post(gateway, topic, {"value": 3, "partition": 1})
    instance = create_consumer()
    partitions = {"partitions": [{"topic": topic, "partition": number} for number in (0, 1)]}
    assert gateway.post(f"{instance}/assignments", json=partitions, headers=V2).status_code == 204
    assert sorted(record["value"] for record in read(gateway, instance, 2)) == [1, 3]
    unreadable = gateway.get(f"{instance}/records", params={"timeout": 5000}, headers={"Accept": JSON_V2})
    assert_error(unreadable, 500, 50002, f"{topic}/0 at offset 1")
    assert gateway.post(f"{instance}/offsets", headers=V2).status_code == 200
    committed = gateway.request("GET", f"{instance}/offsets", json=partitions, headers=V2).json()["offsets"]
    assert {position["partition"]: position["offset"] for position in committed} == {0: 1, 1: 1}
    past = {"offsets": [{"topic": topic, "partition": 0, "offset": 2}]}
    assert gateway.post(f"{instance}/positions", json=past, headers=V2).status_code == 204
    assert [record["value"] for record in read(gateway, instance, 1)] == [2]


def test_records_for_a_client_that_disconnected_are_delivered_to_the_next_request(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer(**{"auto.commit.enable": True})
    assign(gateway, instance, settings.topic("pin"))
    with pytest.raises(httpx.ReadTimeout):
        gateway.get(f"{instance}/records", params={"timeout": 30_000}, headers={"Accept": JSON_V2}, timeout=0.5)
    produce(settings, "pin", [7])
    assert [record["value"] for record in read(gateway, instance, 1)] == [7]
