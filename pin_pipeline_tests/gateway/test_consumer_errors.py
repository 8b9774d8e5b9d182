"""Invalid and adversarial requests to the consumer routes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import httpx
import pytest

from pin_pipeline_tests.gateway.consumer_requests import JSON_V2, V2, CreateConsumer
from pin_pipeline_tests.gateway.responses import assert_error


class InvalidRequest(NamedTuple):
    """A request, and the status, error code and part of the message of its response."""

    method: str
    path: str
    body: Any
    status: int
    code: int
    message: str


INVALID_REQUESTS = [
    InvalidRequest("POST", "/consumers/g", {"format": "avro"}, 422, 422, "format"),
    InvalidRequest("POST", "/consumers/g", {"auto.offset.reset": "newest"}, 422, 422, "auto.offset.reset"),
    InvalidRequest("POST", "/consumers/g", {"consumer.id": "x"}, 422, 422, "consumer.id"),
    InvalidRequest("POST", "/consumers/g", {"fetch.min.bytes": -1}, 422, 422, "fetch.min.bytes"),
    InvalidRequest("POST", "/consumers/g", b"{", 400, 400, "JSON"),
    InvalidRequest("POST", "/consumers/g/instances/none/subscription", {"topics": ["t"]}, 404, 40403, "'none'"),
    InvalidRequest("GET", "/consumers/g/instances/none/records", None, 404, 40403, "'none'"),
    InvalidRequest("POST", "{instance}/subscription", {}, 422, 422, "either topics or topic_pattern"),
    InvalidRequest(
        "POST", "{instance}/subscription", {"topics": ["a"], "topic_pattern": "b"}, 422, 422, "expected either"
    ),
    InvalidRequest(
        "POST", "{instance}/assignments", {"partitions": [{"topic": "t", "partition": -1}]}, 422, 422, "partition"
    ),
    InvalidRequest(
        "POST", "{instance}/positions/end", {"partitions": [{"topic": "t", "partition": 0}]}, 409, 40903, "not assigned"
    ),
    InvalidRequest("POST", "{instance}/positions", {"offsets": [{"topic": "t", "partition": 0}]}, 422, 422, "offset"),
    InvalidRequest("GET", "{instance}/records", None, 409, 40903, "neither a subscription nor an assignment"),
    InvalidRequest("GET", "{instance}/records?timeout=-1", None, 422, 422, "timeout"),
    InvalidRequest("GET", "{instance}/records?max_bytes=0", None, 422, 422, "max_bytes"),
    InvalidRequest("POST", "/consumers/g", b"", 422, 422, "body"),
]


@pytest.mark.parametrize("invalid", INVALID_REQUESTS, ids=str)
def test_consumer_routes_refuse_invalid_requests_as_the_rest_proxy_does(
    own_gateway: httpx.Client, create_consumer: CreateConsumer, invalid: InvalidRequest
) -> None:
    method, path, body, status, code, message = invalid
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {**V2, "Accept": JSON_V2}
    response = own_gateway.request(method, path.format(instance=create_consumer()), content=content, headers=headers)
    assert_error(response, status, code, message)


ROUTES_WITH_BODY = ("subscription", "assignments", "positions", "positions/beginning", "positions/end", "offsets")
ADVERSARIAL_BODIES: list[tuple[bytes, int, int]] = [
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


@pytest.mark.parametrize(
    ("body", "status", "code"), ADVERSARIAL_BODIES, ids=[repr(body[:40]) for body, *_ in ADVERSARIAL_BODIES]
)
def test_consumer_routes_respond_to_an_adversarial_body_with_one_error(
    own_gateway: httpx.Client, create_consumer: CreateConsumer, body: bytes, status: int, code: int
) -> None:
    instance = create_consumer()
    for path in ("/consumers/readers", *(f"{instance}/{route}" for route in ROUTES_WITH_BODY)):
        assert_error(own_gateway.post(path, content=body, headers=V2), status, code)
    assert own_gateway.get(f"{instance}/subscription").json() == {"topics": []}


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
def test_consumer_routes_do_not_find_an_adversarial_name(own_gateway: httpx.Client, name: str) -> None:
    for method, route in INSTANCE_ROUTES:
        assert_error(own_gateway.request(method, f"/consumers/readers/instances/{name}{route}"), 404, 40403)
    outside = own_gateway.get("/consumers/readers/instances/..%2f..%2fetc/records")
    assert_error(outside, 404, 404)


def test_consumer_routes_refuse_other_content_types(own_gateway: httpx.Client) -> None:
    response = own_gateway.post("/consumers/readers", content=b"{}", headers={"Content-Type": "text/plain"})
    assert_error(response, 415, 415, "text/plain")
