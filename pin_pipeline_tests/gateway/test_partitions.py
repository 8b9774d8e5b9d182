"""The partitioner: partition, key, post or round-robin, in this order."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable

import httpx
import orjson
import pytest

from pin_pipeline.gateway.kafka.partitions import choose_partitions
from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import Messages, post
from pin_pipeline_tests.gateway.consumer_requests import BINARY_V2


def chosen(topic: str, value: object, key: bytes | None = None, partition: int | None = None) -> int:
    [chosen] = choose_partitions(topic, [ProduceRecord(orjson.dumps(value), key, partition)], 3)
    return chosen


def test_partitioner_uses_the_key_field_of_each_record_type() -> None:
    for record_type in RECORD_TYPES.values():
        keys = range(3000)
        partitions = [chosen(f"some.prefix.{record_type.name}", {record_type.key: key, "x": None}) for key in keys]
        assert set(Counter(partitions)) == {0, 1, 2}
        assert min(Counter(partitions).values()) > 800
        assert partitions == [chosen(f"other.{record_type.name}", {record_type.key: key}) for key in keys]


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("prefix.pin", {"ind": 1}),
        ("prefix.pin", [{"index": 1}]),
        ("prefix.pin", '{"index": 1}'),
        ("prefix.pin", {"index": None}),
        ("prefix.pin", {"index": {"a": 1}}),
        ("prefix.other", {"index": 1}),
        ("pin", {"index": 1}),
    ],
)
def test_partitioner_distributes_records_without_a_post_round_robin(topic: str, value: object) -> None:
    first, *others = (chosen(topic, value) for _ in range(6))
    assert others == [(first + turn) % 3 for turn in range(1, 6)]


# From the tests of murmur2 in Kafka (UtilsTest.java).
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_partition_of_a_key_is_that_of_the_java_client(gateway: httpx.Client, settings: Settings) -> None:
    records = [{"key": base64.b64encode(key).decode(), "value": None} for key in MURMUR2]
    body = {"records": [*records, {**records[0], "partition": 2}]}
    response = gateway.post(f"/topics/{settings.topic('pin')}", json=body, headers={"Content-Type": BINARY_V2})
    partitions = [offset["partition"] for offset in response.json()["offsets"]]
    assert partitions == [*((murmur2 & 0x7FFFFFFF) % 3 for murmur2 in MURMUR2.values()), 2]


def test_results_of_records_with_and_without_keys_are_in_the_order_of_the_records(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    keys = [{"key": number % 7} if number % 3 else {} for number in range(200)]
    records = [{"value": number, **key} for number, key in enumerate(keys)]
    offsets = post(gateway, settings.topic("pin"), *records).json()["offsets"]
    stored = messages(settings.topic("pin"))
    values = [stored[offset["partition"]][offset["offset"]][1] for offset in offsets]
    assert values == [b"%d" % number for number in range(200)]


def test_records_with_the_same_key_share_a_partition(gateway: httpx.Client, settings: Settings) -> None:
    records = [{"value": n, "key": f"key {n % 5}"} for n in range(30)]
    offsets = post(gateway, settings.topic("pin"), *records).json()["offsets"]
    for key in range(5):
        assert len({entry["partition"] for entry in offsets[key::5]}) == 1


def test_records_of_the_same_post_share_a_partition_in_every_topic(gateway: httpx.Client, settings: Settings) -> None:
    partitions = {
        (record_type, key): {
            post(gateway, settings.topic(record_type), {"value": {field: key, "n": n}}).json()["offsets"][0][
                "partition"
            ]
            for n in range(3)
        }
        for record_type, field in (("pin", "index"), ("geo", "ind"), ("user", "ind"))
        for key in range(8)
    }
    assert all(len(chosen) == 1 for chosen in partitions.values())
    for key in range(8):
        assert partitions["pin", key] == partitions["geo", key] == partitions["user", key]
    assert len(set.union(*partitions.values())) > 1
