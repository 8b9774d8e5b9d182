"""Invalid and adversarial requests to the consumer routes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import httpx
import pytest

from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.consumer_requests import JSON_V2, V2, CreateConsumer, assign, subscribe
from pin_pipeline_tests.gateway.responses import assert_error


class InvalidRequest(NamedTuple):
    """A request, and the status, error code and part of the message of its response."""

    method: str
    path: str
    body: Any
    status: int
    code: int
    message: str


CREATE, INSTANCE, PARTITION = "/consumers/g", "{instance}", {"topic": "{topic}", "partition": 0}
TOO_LARGE = 2**63

INVALID_REQUESTS = [
    InvalidRequest("POST", CREATE, {"format": "avro"}, 422, 422, "json|binary"),
    InvalidRequest("POST", CREATE, {"auto.offset.reset": "newest"}, 422, 422, "earliest|latest|none"),
    InvalidRequest("POST", CREATE, {"auto.commit.enable": "perhaps"}, 422, 422, "auto.commit.enable"),
    InvalidRequest("POST", CREATE, {"consumer.id": "x"}, 422, 422, "consumer.id"),
    InvalidRequest("POST", CREATE, {"fetch.min.bytes": -2}, 422, 422, "fetch.min.bytes"),
    InvalidRequest("POST", CREATE, {"fetch.min.bytes": 99999999999}, 422, 422, "<= 10000000 - at `$.fetch.min.bytes`"),
    InvalidRequest("POST", CREATE, {"consumer.request.timeout.ms": TOO_LARGE}, 422, 422, "request.timeout.ms"),
    *(
        InvalidRequest("POST", CREATE, {"name": name}, 422, 422, "$.name")
        for name in ("", ".", "..", "a/b", "a\nb", "x" * 250)
    ),
    InvalidRequest("POST", CREATE, [], 422, 422, "Expected `object`"),
    InvalidRequest("POST", CREATE, b"{", 400, 400, "JSON"),
    InvalidRequest("POST", CREATE, b"\x1f\x8b\x08\x00", 400, 400, "compressed"),
    InvalidRequest("POST", f"{CREATE}/instances/none/subscription", {"topics": ["t"]}, 404, 40403, "'none'"),
    InvalidRequest("GET", f"{CREATE}/instances/none/records", None, 404, 40403, "'none'"),
    InvalidRequest("POST", f"{INSTANCE}/subscription", {}, 422, 422, "either topics or topic_pattern"),
    InvalidRequest(
        "POST", f"{INSTANCE}/subscription", {"topics": ["a"], "topic_pattern": "b"}, 422, 422, "expected either"
    ),
    *(
        InvalidRequest("POST", f"{INSTANCE}/subscription", {"topics": [topic]}, 422, 422, "$.topics[0]")
        for topic in ("", "a b/c", ".", "..", "x" * 250, "ü")
    ),
    InvalidRequest("POST", f"{INSTANCE}/subscription", {"topics": []}, 422, 422, "length >= 1 - at `$.topics`"),
    InvalidRequest("POST", f"{INSTANCE}/subscription", {"topics": ["t"] * 1001}, 422, 422, "length <= 1000"),
    *(
        InvalidRequest("POST", f"{INSTANCE}/subscription", {"topic_pattern": pattern}, 422, 422, "topic_pattern")
        for pattern in ("*bad(", "(?=a)b", r"(a)\1", "((a{1,999}){1,999})", "x" * 1001, "")
    ),
    InvalidRequest(
        "POST", f"{INSTANCE}/assignments", {"partitions": [PARTITION | {"partition": -1}]}, 422, 422, ">= 0"
    ),
    InvalidRequest(
        "POST", f"{INSTANCE}/assignments", {"partitions": [PARTITION | {"partition": 2**32}]}, 422, 422, "<= 2147483647"
    ),
    InvalidRequest(
        "POST", f"{INSTANCE}/assignments", {"partitions": [PARTITION | {"partition": 99}]}, 404, 40402, "0..2"
    ),
    InvalidRequest(
        "POST", f"{INSTANCE}/assignments", {"partitions": [{"topic": "none", "partition": 0}]}, 404, 40401, "'none'"
    ),
    *(
        InvalidRequest("POST", f"{INSTANCE}/positions/{end}", {"partitions": partitions}, status, code, message)
        for end in ("beginning", "end")
        for partitions, status, code, message in (
            ([], 422, 422, "$.partitions"),
            ([PARTITION], 409, 40903, "partition 0 of topic '{topic}' is not assigned"),
        )
    ),
    InvalidRequest("POST", f"{INSTANCE}/positions", {"offsets": [PARTITION]}, 422, 422, "offset"),
    InvalidRequest("POST", f"{INSTANCE}/positions", {"offsets": [PARTITION | {"offset": -1}]}, 422, 422, ">= 0"),
    InvalidRequest(
        "POST", f"{INSTANCE}/positions", {"offsets": [PARTITION | {"offset": TOO_LARGE - 1}]}, 422, 422, "offset"
    ),
    InvalidRequest("POST", f"{INSTANCE}/offsets", {"offsets": []}, 422, 422, "$.offsets"),
    InvalidRequest(
        "POST", f"{INSTANCE}/offsets", {"offsets": [{"topic": "none", "partition": 0, "offset": 1}]}, 404, 40401, "none"
    ),
    InvalidRequest(
        "POST", f"{INSTANCE}/offsets", {"offsets": [PARTITION | {"partition": 99, "offset": 1}]}, 404, 40402, "0..2"
    ),
    InvalidRequest("GET", f"{INSTANCE}/offsets", {"partitions": []}, 422, 422, "$.partitions"),
    InvalidRequest(
        "GET", f"{INSTANCE}/offsets", {"partitions": [{"topic": "none", "partition": 0}]}, 404, 40401, "'none'"
    ),
    InvalidRequest("GET", f"{INSTANCE}/records", None, 409, 40903, "neither a subscription nor an assignment"),
    InvalidRequest("GET", f"{INSTANCE}/records?timeout=-2", None, 422, 422, "timeout"),
    InvalidRequest("GET", f"{INSTANCE}/records?timeout=soon", None, 422, 422, "timeout"),
    InvalidRequest("GET", f"{INSTANCE}/records?max_bytes=0", None, 422, 422, "max_bytes"),
]


@pytest.mark.parametrize("invalid", INVALID_REQUESTS, ids=str)
def test_consumer_routes_refuse_invalid_requests_as_the_rest_proxy_does(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer, invalid: InvalidRequest
) -> None:
    method, path, body, status, code, message = invalid
    topic, instance = settings.topic("pin"), create_consumer()
    content = body if isinstance(body, bytes | None) else json.dumps(body).replace("{topic}", topic).encode()
    headers = {**V2, "Accept": JSON_V2}
    response = gateway.request(method, path.format(instance=instance), content=content, headers=headers)
    assert_error(response, status, code, message.replace("{topic}", topic))
    # The instance is as it was.
    assert gateway.get(f"{instance}/subscription").json() == {"topics": []}
    assign(gateway, instance, topic)
    assert gateway.delete(instance).status_code == 204


def test_commit_of_a_subscribed_consumer_is_refused_at_once_before_its_first_read(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer()
    subscribe(gateway, instance, settings.topic("pin"))
    offsets = {"offsets": [{"topic": settings.topic("pin"), "partition": 0, "offset": 0}]}
    response = gateway.post(f"{instance}/offsets", json=offsets, headers=V2, timeout=5)
    assert_error(response, 409, 40903, "not assigned to this instance")


def test_consumer_without_a_committed_offset_names_the_option_if_it_must_not_choose_one(
    gateway: httpx.Client, settings: Settings, create_consumer: CreateConsumer
) -> None:
    instance = create_consumer(**{"auto.offset.reset": "none"})
    assign(gateway, instance, settings.topic("pin"))
    response = gateway.get(f"{instance}/records", params={"timeout": 5000}, headers={"Accept": JSON_V2})
    assert_error(response, 409, 40903, "auto.offset.reset chooses no other")


ROUTES_WITH_BODY = ("subscription", "assignments", "positions", "positions/beginning", "positions/end", "offsets")
ADVERSARIAL_BODIES: list[tuple[bytes, set[int]]] = [
    (b"{", {400}),
    (b'{"\xff": 1}', {400}),
    ('{"topic": []}'.encode("utf-16"), {400}),
    (b"{} {}", {400, 422}),
    (b"[" * 50_000 + b"]" * 50_000, {422}),
    (b'{"topics":' + b"[" * 50_000 + b"]" * 50_000 + b"}", {400, 422}),
    (b"[]", {422}),
    (b'"topics"', {422}),
    (b"1e400", {422}),
    (b'{"__proto__": {"admin": true}}', {422}),
    (b'{"topics": {}, "partitions": {}, "offsets": {}, "format": 1}', {422}),
    (b'"' + b"x" * 2**20 + b'"', {413}),
]


@pytest.mark.parametrize(
    ("body", "statuses"), ADVERSARIAL_BODIES, ids=[repr(body[:40]) for body, _ in ADVERSARIAL_BODIES]
)
def test_consumer_routes_respond_to_an_adversarial_body_with_one_error(
    gateway: httpx.Client, create_consumer: CreateConsumer, body: bytes, statuses: set[int]
) -> None:
    instance = create_consumer()
    for path in ("/consumers/readers", *(f"{instance}/{route}" for route in ROUTES_WITH_BODY)):
        response = gateway.post(path, content=body, headers=V2)
        assert response.status_code in statuses
        assert_error(response, response.status_code, response.status_code)
    assert gateway.get(f"{instance}/subscription").json() == {"topics": []}


INSTANCE_ROUTES = [
    ("DELETE", ""),
    ("GET", "/subscription"),
    ("DELETE", "/subscription"),
    ("GET", "/assignments"),
    ("GET", "/records"),
]
ADVERSARIAL_NAMES = [
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


@pytest.mark.parametrize("name", ADVERSARIAL_NAMES, ids=lambda name: repr(name[:20]))
def test_consumer_routes_do_not_find_an_adversarial_name(gateway: httpx.Client, name: str) -> None:
    for method, route in INSTANCE_ROUTES:
        assert_error(gateway.request(method, f"/consumers/readers/instances/{name}{route}"), 404, 40403)
    outside = gateway.get("/consumers/readers/instances/..%2f..%2fetc/records")
    assert_error(outside, 404, 40403)


def test_consumer_routes_refuse_other_content_types(gateway: httpx.Client) -> None:
    response = gateway.post("/consumers/readers", content=b"{}", headers={"Content-Type": "text/plain"})
    assert_error(response, 415, 415, "text/plain")
