"""Limits of requests: size of the head, time to receive a request, encoding of the body."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from pin_pipeline.gateway import json_body
from pin_pipeline.gateway.errors import ApiError
from pin_pipeline.gateway.http import bounded_protocol
from pin_pipeline.gateway.http.backpressure import MAX_IN_FLIGHT_BYTES, RESERVED_BYTES, BytesInFlight
from pin_pipeline.gateway.http.request_body import MAX_BODY_BYTES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, post
from pin_pipeline_tests.gateway.responses import assert_error

REQUEST = b"POST /topics/t.pin HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@contextmanager
def connection(gateway: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port or 80), timeout=20) as connected:
        yield connected


def received(connected: socket.socket) -> bytes:
    """Return everything that the gateway sends until it closes the connection."""
    return b"".join(iter(lambda: connected.recv(65536), b""))


@pytest.mark.parametrize(
    "sent",
    [b"GET", REQUEST, REQUEST + b"Content-Length: 10\r\n\r\n123", REQUEST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n"],
    ids=["request line", "headers", "body", "chunk"],
)
def test_request_that_is_not_received_in_time_is_refused(
    own_gateway: httpx.Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(bounded_protocol, "REQUEST_SECONDS", 0.2)
    with connection(own_gateway) as connected:
        connected.sendall(sent)
        response = received(connected)
    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'{"error_code":408,"message":"the request was not received in time' in response


def test_connection_without_a_request_is_closed(own_gateway: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", 0.2)
    with connection(own_gateway) as connected:
        assert received(connected) == b""


def test_refused_body_that_is_sent_on_does_not_get_a_second_response(
    own_gateway: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_protocol, "REQUEST_SECONDS", 0.2)
    with connection(own_gateway) as connected:
        connected.sendall(REQUEST + b"Content-Length: 99999999\r\n\r\n" + b"x" * 1000)
        response = received(connected)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert response.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "sent", [b"GET /" + b"a" * 40_000, REQUEST + b"X: " + b"a" * 40_000, REQUEST + b"A: b\r\n" * 8_000]
)
def test_too_large_head_is_refused(own_gateway: httpx.Client, sent: bytes) -> None:
    with connection(own_gateway) as connected:
        connected.sendall(sent)
        response = received(connected)
    assert response.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"larger than 32768 bytes" in response


def test_connection_serves_requests_after_each_other(own_gateway: httpx.Client) -> None:
    with connection(own_gateway) as connected:
        for _ in range(3):
            for part in (b"GET /health HT", b"TP/1.1\r\nHost: a\r\n", b"\r\n"):
                connected.sendall(part)
            assert connected.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_compressed_body_is_refused_with_what_to_do(gateway: httpx.Client, settings: Settings) -> None:
    body = gzip.compress(b'{"records":[{"value":1}]}')
    path = f"/topics/{settings.topic('pin')}"
    encoded = gateway.post(path, content=body, headers={**JSON_V2, "Content-Encoding": "gzip"})
    assert_error(encoded, 415, 415, "'gzip'", "uncompressed")
    assert_error(gateway.post(path, content=body, headers=JSON_V2), 400, 400, "compressed")


def test_number_of_records_is_limited(own_gateway: httpx.Client, settings: Settings) -> None:
    topic, limit = settings.topic("pin"), json_body.MAX_RECORDS
    assert post(own_gateway, topic, *[{"value": 1}] * limit).status_code == 200
    assert_error(post(own_gateway, topic, *[{"value": 1}] * (limit + 1)), 413, 413, f"more than {limit} records")
    many = b"[" + b",".join([b"{}"] * (limit + 1)) + b"]"
    assert_error(own_gateway.post("/pin/batch", content=many), 413, 413, f"more than {limit} records")


def test_largest_request_fits_into_what_large_requests_may_occupy() -> None:
    with BytesInFlight().hold(MAX_BODY_BYTES, json_body.MAX_RECORDS):
        pass


def test_large_requests_leave_room_for_small_ones() -> None:
    in_flight = BytesInFlight()
    with in_flight.hold(MAX_IN_FLIGHT_BYTES - RESERVED_BYTES, 0):
        with pytest.raises(ApiError, match="retry later"), in_flight.hold(100_000, 0):
            pass
        with in_flight.hold(1000, 1):
            pass
    assert in_flight.size() == 0
