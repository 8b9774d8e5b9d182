"""Assertions on error responses of the gateway."""

from __future__ import annotations

import httpx

KAFKA_V2 = "application/vnd.kafka.v2+json"


def assert_error(response: httpx.Response, status: int, error_code: int, *words: str) -> None:
    """Assert an error in the format of the Confluent REST Proxy, and words of its message."""
    assert (response.status_code, response.headers["content-type"]) == (status, KAFKA_V2)
    error = response.json()
    assert set(error) == {"error_code", "message"}
    assert error["error_code"] == error_code
    for word in words:
        assert word in error["message"]


def kinesis_error(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the type of an error in the format of Kinesis."""
    assert set(response.json()) == {"__type", "message"}
    return response.status_code, response.json()["__type"]
