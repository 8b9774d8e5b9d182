"""The proxy's consumers, on a real broker: what was posted is read, once a group, from where it was committed."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from pin_pipeline.gateway.kafka import consumer_instances as module
from pin_pipeline.gateway.routes import consumers
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import post
from pin_pipeline_tests.gateway.test_kafka_rest import assert_error
from pin_pipeline_tests.helpers.topics import produce

V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
JSON_V2, BINARY_V2 = "application/vnd.kafka.json.v2+json", "application/vnd.kafka.binary.v2+json"
EARLIEST = {"auto.offset.reset": "earliest", "auto.commit.enable": "false", "format": "json"}
SECONDS = 20

Create = Callable[..., str]


@pytest.fixture
def gateway(own_gateway: httpx.Client) -> httpx.Client:
    """One whose consumers leave their groups when the test ends."""
    return own_gateway


@pytest.fixture
def create(gateway: httpx.Client) -> Create:
    """Creates an instance; its path."""

    def created(**options: Any) -> str:
        reply = gateway.post("/consumers/readers", json=EARLIEST | options, headers=V2)
        assert reply.status_code == 200, reply.text
        assert set(reply.json()) == {"instance_id", "base_uri"}
        return httpx.URL(reply.json()["base_uri"]).path

    return created


def subscribe(gateway: httpx.Client, instance: str, *topics: str) -> None:
    assert gateway.post(f"{instance}/subscription", json={"topics": topics}, headers=V2).status_code == 204


def read(gateway: httpx.Client, instance: str, count: int, accept: str = JSON_V2) -> list[dict[str, Any]]:
    """Read until there are so many records: at first the group has to find together."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + SECONDS
    while len(found) < count and time.monotonic() < deadline:
        reply = gateway.get(f"{instance}/records", params={"timeout": 500}, headers={"Accept": accept})
        assert (reply.status_code, reply.headers["content-type"]) == (200, accept), reply.text
        found += reply.json()
    return found


def test_what_was_posted_is_read_in_order_with_key_and_place(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    topic = settings.topic("geo")
    posted = [{"key": number, "value": {"ind": number, "country": "é"}, "partition": 0} for number in range(5)]
    post(gateway, topic, *posted)
    instance = create()
    subscribe(gateway, instance, topic)
    assert gateway.get(f"{instance}/subscription").json() == {"topics": [topic]}
    assert read(gateway, instance, 5) == [
        {"topic": topic, **record, "offset": offset} for offset, record in enumerate(posted)
    ]
    assert {"topic": topic, "partition": 0} in gateway.get(f"{instance}/assignments").json()["partitions"]
    assert gateway.delete(instance).status_code == 204
    assert_error(gateway.delete(instance), 404, 40403, "readers")


def test_a_value_is_read_in_the_very_text_it_has_on_the_topic(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    produce(settings, "pin", [b'{"a": 1.10, "b":1e2}'])
    instance = create()
    subscribe(gateway, instance, settings.topic("pin"))
    deadline = time.monotonic() + SECONDS
    body = b"[]"
    while body == b"[]" and time.monotonic() < deadline:
        body = gateway.get(f"{instance}/records", headers={"Accept": JSON_V2}).content
    assert b'"value":{"a": 1.10, "b":1e2},' in body


def test_any_bytes_are_read_in_base64(gateway: httpx.Client, settings: Settings, create: Create) -> None:
    produce(settings, "pin", [b"\xff\x00", None])
    instance = create(format="binary")
    subscribe(gateway, instance, settings.topic("pin"))
    values = [record["value"] for record in read(gateway, instance, 2, BINARY_V2)]
    assert values == [base64.b64encode(b"\xff\x00").decode(), None]


def test_what_is_no_json_is_an_error_that_names_it_and_can_be_passed_over(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    topic = settings.topic("pin")
    produce(settings, "pin", [b"no json", b"2"])
    instance = create()
    partitions = {"partitions": [{"topic": topic, "partition": 0}]}
    assert gateway.post(f"{instance}/assignments", json=partitions, headers=V2).status_code == 204
    reply = gateway.get(f"{instance}/records", params={"timeout": 5000}, headers={"Accept": JSON_V2})
    assert_error(reply, 500, 50002, f"{topic}/0 at offset 0", "format binary")
    behind = {"offsets": [{"topic": topic, "partition": 0, "offset": 1}]}
    assert gateway.post(f"{instance}/positions", json=behind, headers=V2).status_code == 204
    assert [record["value"] for record in read(gateway, instance, 1)] == [2]


def test_a_group_goes_on_behind_what_it_has_committed(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    topic = settings.topic("user")
    produce(settings, "user", range(10))
    partitions = {"partitions": [{"topic": topic, "partition": 0}]}
    first = create()
    gateway.post(f"{first}/assignments", json=partitions, headers=V2)
    assert len(read(gateway, first, 10)) == 10
    fourth = {"offsets": [{"topic": topic, "partition": 0, "offset": 3}]}
    assert gateway.post(f"{first}/offsets", json=fourth, headers=V2).status_code == 200
    gateway.delete(first)
    second = create()
    gateway.post(f"{second}/assignments", json=partitions, headers=V2)
    asked = gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert asked.json()["offsets"] == [{"topic": topic, "partition": 0, "offset": 4, "metadata": ""}]
    assert [record["value"] for record in read(gateway, second, 6)] == [4, 5, 6, 7, 8, 9]
    assert gateway.post(f"{second}/offsets", headers=V2).status_code == 200
    asked = gateway.request("GET", f"{second}/offsets", content=json.dumps(partitions), headers=V2)
    assert asked.json()["offsets"][0]["offset"] == 10
    for end, left in (("beginning", list(range(10))), ("end", [])):
        assert gateway.post(f"{second}/positions/{end}", json=partitions, headers=V2).status_code == 204
        reply = gateway.get(f"{second}/records", params={"timeout": 2000}, headers={"Accept": JSON_V2})
        assert [record["value"] for record in reply.json()] == left


def test_a_reply_is_as_large_as_asked_for_and_nothing_is_passed_over(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    topic = settings.topic("pin")
    produce(settings, "pin", ["x" * 98] * 10)
    instance = create()
    partitions = {"partitions": [{"topic": topic, "partition": 0}]}
    gateway.post(f"{instance}/assignments", json=partitions, headers=V2)
    offsets = []
    for size, count in ((250, 2), (1, 1), (100_000, 7)):
        parameters = {"timeout": 5000, "max_bytes": size}
        found = gateway.get(f"{instance}/records", params=parameters, headers={"Accept": JSON_V2}).json()
        assert len(found) == count
        offsets += [record["offset"] for record in found]
    assert offsets == list(range(10))


def test_a_consumer_waits_for_records_as_long_as_it_was_made_to(
    gateway: httpx.Client, settings: Settings, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def noting(consumer: KafkaConsumer, timeout_seconds: float, max_bytes: int) -> list[ConsumerRecord]:
        waits.append(timeout_seconds)
        return module.read(consumer, 0, max_bytes)

    monkeypatch.setattr(consumers, "read", noting)
    for options in ({}, {"consumer.request.timeout.ms": 50}):
        instance = create(**options)
        subscribe(gateway, instance, settings.topic("pin"))
        gateway.get(f"{instance}/records", headers={"Accept": JSON_V2})
        gateway.get(f"{instance}/records", params={"timeout": 7}, headers={"Accept": JSON_V2})
    assert waits == [1, 0.007, 0.05, 0.007]


def test_instances_that_nobody_uses_are_removed_and_there_are_only_so_many(
    gateway: httpx.Client, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_INSTANCES", 1)
    instance = create()
    full = gateway.post("/consumers/others", json={}, headers=V2)
    assert_error(full, 429, 42901)
    assert int(full.headers["retry-after"]) > 0
    monkeypatch.setattr(module, "IDLE_SECONDS", 0)
    create()
    assert_error(gateway.get(f"{instance}/subscription"), 404, 40403)


class Refused(NamedTuple):
    """A request that is refused: with which status, error code and word."""

    method: str
    path: str
    body: Any
    status: int
    code: int
    word: str


REFUSED = [
    Refused("POST", "/consumers/g", {"format": "avro"}, 422, 422, "format"),
    Refused("POST", "/consumers/g", {"auto.offset.reset": "newest"}, 422, 422, "auto.offset.reset"),
    Refused("POST", "/consumers/g", {"consumer.id": "x"}, 422, 422, "consumer.id"),
    Refused("POST", "/consumers/g", {"fetch.min.bytes": -1}, 422, 422, "fetch.min.bytes"),
    Refused("POST", "/consumers/g", b"{", 400, 400, "JSON"),
    Refused("POST", "/consumers/g/instances/none/subscription", {"topics": ["t"]}, 404, 40403, "'none'"),
    Refused("GET", "/consumers/g/instances/none/records", None, 404, 40403, "'none'"),
    Refused("POST", "{instance}/subscription", {}, 422, 422, "either topics or topic_pattern"),
    Refused("POST", "{instance}/subscription", {"topics": ["a"], "topic_pattern": "b"}, 422, 422, "either"),
    Refused("POST", "{instance}/assignments", {"partitions": [{"topic": "t", "partition": -1}]}, 422, 422, "partition"),
    Refused(
        "POST", "{instance}/positions/end", {"partitions": [{"topic": "t", "partition": 0}]}, 409, 40903, "not assigned"
    ),
    Refused("POST", "{instance}/positions", {"offsets": [{"topic": "t", "partition": 0}]}, 422, 422, "offset"),
    Refused("GET", "{instance}/records", None, 409, 40903, "reads nothing"),
    Refused("GET", "{instance}/records?timeout=-1", None, 422, 422, "timeout"),
    Refused("GET", "{instance}/records?max_bytes=0", None, 422, 422, "max_bytes"),
    Refused("POST", "/consumers/g", b"", 422, 422, "body"),
]


@pytest.mark.parametrize("refused", REFUSED, ids=str)
def test_what_cannot_be_done_is_refused_in_the_proxys_shape(
    gateway: httpx.Client, create: Create, refused: Refused
) -> None:
    method, path, body, status, code, word = refused
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    reply = gateway.request(method, path.format(instance=create()), content=content, headers={**V2, "Accept": JSON_V2})
    assert_error(reply, status, code, word)


WITH_BODY = ("subscription", "assignments", "positions", "positions/beginning", "positions/end", "offsets")
HOSTILE: list[tuple[bytes, int, int]] = [
    (b"{", 400, 400),
    (b'{"\xff": 1}', 400, 400),
    ('{"topic": []}'.encode("utf-16"), 422, 422),
    (b"{} {}", 400, 400),
    (b"[" * 100_000 + b"]" * 100_000, 400, 400),
    (b"[]", 422, 422),
    (b'"topics"', 422, 422),
    (b"1e400", 422, 422),
    (b'{"__proto__": {"admin": true}}', 422, 422),
    (b'{"topics": {}, "partitions": {}, "offsets": {}, "format": 1}', 422, 422),
    (b'"' + b"x" * (10 * 2**20) + b'"', 413, 413),
]


@pytest.mark.parametrize(("body", "status", "code"), HOSTILE, ids=[repr(body[:40]) for body, *_ in HOSTILE])
def test_a_hostile_body_has_its_one_error_at_every_route(
    gateway: httpx.Client, create: Create, body: bytes, status: int, code: int
) -> None:
    instance = create()
    for path in ("/consumers/readers", *(f"{instance}/{route}" for route in WITH_BODY)):
        assert_error(gateway.post(path, content=body, headers=V2), status, code)
    assert gateway.get(f"{instance}/subscription").json() == {"topics": []}


ROUTES = [
    ("DELETE", ""),
    ("GET", "/subscription"),
    ("DELETE", "/subscription"),
    ("GET", "/assignments"),
    ("GET", "/records"),
]
NAMES = [
    "%00",
    "'; drop table t; --",
    "x" * 2_000,
    "\U0001f600",
    "%",
    "{instance}",
    "%2e",
    "-1",
    " ",
    "none%0d%0aX-A: b",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_a_hostile_name_is_one_that_is_not_there_at_every_route(gateway: httpx.Client, name: str) -> None:
    for method, route in ROUTES:
        assert_error(gateway.request(method, f"/consumers/readers/instances/{name}{route}"), 404, 40403)
    up = gateway.get("/consumers/readers/instances/..%2f..%2fetc/records")
    assert_error(up, 404, 404)


def test_a_body_of_another_type_is_unsupported(gateway: httpx.Client) -> None:
    reply = gateway.post("/consumers/readers", content=b"{}", headers={"Content-Type": "text/plain"})
    assert_error(reply, 415, 415, "text/plain")


def test_a_name_is_taken_once_in_a_group_and_a_format_is_kept(gateway: httpx.Client, create: Create) -> None:
    instance = create(name="mine")
    assert instance == "/consumers/readers/instances/mine"
    assert_error(gateway.post("/consumers/readers", json={"name": "mine"}, headers=V2), 409, 40902, "'mine'")
    assert gateway.post("/consumers/others", json={"name": "mine"}, headers=V2).status_code == 200
    assert_error(gateway.get(f"{instance}/records", headers={"Accept": BINARY_V2}), 406, 40601, "json")


def test_a_subscription_and_an_assignment_exclude_each_other(
    gateway: httpx.Client, settings: Settings, create: Create
) -> None:
    instance = create()
    subscribe(gateway, instance, settings.topic("pin"))
    partitions = {"partitions": [{"topic": settings.topic("pin"), "partition": 0}]}
    assert_error(gateway.post(f"{instance}/assignments", json=partitions, headers=V2), 409, 40903)
    assert gateway.delete(f"{instance}/subscription").status_code == 204
    assert gateway.post(f"{instance}/assignments", json=partitions, headers=V2).status_code == 204
