"""Requests that the tests of consumers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

V2 = {"Content-Type": "application/vnd.kafka.v2+json"}
JSON_V2, BINARY_V2 = "application/vnd.kafka.json.v2+json", "application/vnd.kafka.binary.v2+json"
EARLIEST = {"auto.offset.reset": "earliest", "auto.commit.enable": "false", "format": "json"}
TIMEOUT_SECONDS = 20

CreateConsumer = Callable[..., str]
"""Creates a consumer instance with the given options, and returns its path."""


def subscribe(gateway: httpx.Client, instance: str, *topics: str) -> None:
    """Subscribe an instance to topics."""
    assert gateway.post(f"{instance}/subscription", json={"topics": topics}, headers=V2).status_code == 204


def assign(gateway: httpx.Client, instance: str, topic: str) -> dict[str, Any]:
    """Assign partition 0 of a topic to an instance, and return the body of the request."""
    partitions = {"partitions": [{"topic": topic, "partition": 0}]}
    assert gateway.post(f"{instance}/assignments", json=partitions, headers=V2).status_code == 204
    return partitions


def read(gateway: httpx.Client, instance: str, count: int, accept: str = JSON_V2) -> list[dict[str, Any]]:
    """Read until there are `count` records, or until the timeout: at first the group has to be formed."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        response = gateway.get(f"{instance}/records", params={"timeout": 500}, headers={"Accept": accept})
        assert (response.status_code, response.headers["content-type"]) == (200, accept), response.text
        found += response.json()
    return found
