"""Requests that take the gateway as much work as possible."""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from pin_pipeline.gateway.http.request_body import MAX_BODY_BYTES
from pin_pipeline.gateway.routes.consumer_requests import MAX_BODY_BYTES as MAX_CONSUMER_BODY_BYTES
from pin_pipeline_tests.gateway.consumer_requests import BINARY_V2, JSON_V2, V2


class Attack(NamedTuple):
    """A request that takes the gateway as much work as possible."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


def filled(prefix: bytes, repeated: bytes, suffix: bytes, size: int = MAX_BODY_BYTES - 2**10) -> bytes:
    """Return a body of about this size."""
    return prefix + b",".join([repeated] * (size // (len(repeated) + 1))) + suffix


JSON_TYPE, BINARY_TYPE = {"Content-Type": JSON_V2}, {"Content-Type": BINARY_V2}
KEY = b'"' + b"k" * (9 * 2**20) + b'"'
NESTED = b"[" * (5 * 2**20) + b"]" * (5 * 2**20 - 2**10)
MEBIBYTE_RECORD = b'{"index":1,"x":[' + b"1," * (2**19 - 50) + b"1]}"
PATTERN = {"topic_pattern": "(?:.|.|.|.)+X"}

ATTACKS = [
    Attack("many records", "POST", "/topics/{topic}", filled(b'{"records":[', b'{"value":1}', b"]}"), JSON_TYPE),
    Attack("empty records", "POST", "/topics/{topic}", filled(b'{"records":[', b"{}", b"]}"), JSON_TYPE),
    Attack("large key", "POST", "/topics/{topic}", b'{"records":[{"key":' + KEY + b',"value":1}]}', JSON_TYPE),
    Attack("large value", "POST", "/topics/{topic}", b'{"records":[{"value":' + KEY + b"}]}", JSON_TYPE),
    Attack("nested value", "POST", "/topics/{topic}", b'{"records":[{"value":' + NESTED + b"}]}", JSON_TYPE),
    Attack(
        "allowed number of records with keys",
        "POST",
        "/topics/{topic}",
        filled(b'{"records":[', b'{"key":"' + b"k" * 1900 + b'","value":1}', b"]}"),
        JSON_TYPE,
    ),
    Attack(
        "large binary key",
        "POST",
        "/topics/{topic}",
        json.dumps({"records": [{"key": base64.b64encode(b"k" * (7 * 2**20)).decode(), "value": None}]}).encode(),
        BINARY_TYPE,
    ),
    Attack(
        "line breaks",
        "POST",
        "/topics/{topic}",
        b'{"records":[{"value":[1' + b"\n" * (10 * 2**20 - 100) + b"]}]}",
        JSON_TYPE,
    ),
    Attack(
        "many records for a partition",
        "POST",
        "/topics/{topic}/partitions/0",
        filled(b'{"records":[', b"{}", b"]}"),
        JSON_TYPE,
    ),
    Attack("large record", "POST", "/pin/", MEBIBYTE_RECORD),
    Attack("too large record", "POST", "/pin/", KEY),
    Attack("batch of large records", "POST", "/pin/batch", filled(b"[", MEBIBYTE_RECORD, b"]")),
    Attack("batch of numbers", "POST", "/geo/batch", filled(b"[", b"1", b"]")),
    Attack("batch of small records", "POST", "/user/batch", filled(b"[", b"{}", b"]")),
    Attack("large data", "PUT", "/streams/{stream}/record", b'{"Data":' + KEY + b',"PartitionKey":"a"}'),
    Attack(
        "many entries",
        "PUT",
        "/streams/{stream}/records",
        filled(b'{"records":[', b'{"data":1,"partition-key":"a"}', b"]}"),
    ),
    Attack("large partition key", "PUT", "/streams/{stream}/record", b'{"Data":1,"PartitionKey":' + KEY + b"}"),
    Attack("pattern", "POST", "{instance}/subscription", json.dumps(PATTERN).encode(), V2),
    Attack("large pattern", "POST", "{instance}/subscription", b'{"topic_pattern":' + KEY + b"}", V2),
    Attack(
        "many topics",
        "POST",
        "{instance}/subscription",
        filled(b'{"topics":[', b'"a"', b"]}", MAX_CONSUMER_BODY_BYTES - 99),
        V2,
    ),
    Attack(
        "many partitions",
        "POST",
        "{instance}/assignments",
        filled(b'{"partitions":[', b'{"topic":"a","partition":1}', b"]}", MAX_CONSUMER_BODY_BYTES - 99),
        V2,
    ),
    Attack("consumer body", "POST", "/consumers/group", KEY, V2),
    Attack("large header", "GET", "/topics", b"", {"Accept": "a," * (10 * 2**20)}),
    Attack("allowed header", "GET", "/topics", b"", {"Accept": "a," * (14 * 2**10)}),
]
