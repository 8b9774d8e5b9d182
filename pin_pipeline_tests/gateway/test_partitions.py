from __future__ import annotations

from collections import Counter

import httpx
import pytest

from pin_pipeline.environment import Settings
from pin_pipeline.gateway.partitions import partition_of
from pin_pipeline.records import KINDS
from pin_pipeline_tests.gateway.conftest import post


def test_every_kind_is_partitioned_by_its_own_key_field() -> None:
    for kind in KINDS.values():
        keys = range(3000)
        chosen = [partition_of(f"some.prefix.{kind.name}", {kind.key: key, "x": None}, 3) for key in keys]
        assert set(Counter(chosen)) == {0, 1, 2}
        assert min(Counter(chosen).values()) > 800
        assert chosen == [partition_of(f"other.{kind.name}", {kind.key: key}, 3) for key in keys]


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
def test_a_record_that_names_no_post_is_left_to_the_client(topic: str, value: object) -> None:
    assert partition_of(topic, value, 3) is None


def test_records_of_one_key_share_a_partition(gateway: httpx.Client, settings: Settings) -> None:
    records = [{"value": n, "key": f"key {n % 5}"} for n in range(30)]
    offsets = post(gateway, settings.topic("pin"), *records).json()["offsets"]
    for key in range(5):
        assert len({entry["partition"] for entry in offsets[key::5]}) == 1


def test_records_of_one_post_share_a_partition_in_every_topic(gateway: httpx.Client, settings: Settings) -> None:
    partitions = {
        (kind, key): {
            post(gateway, settings.topic(kind), {"value": {field: key, "n": n}}).json()["offsets"][0]["partition"]
            for n in range(3)
        }
        for kind, field in (("pin", "index"), ("geo", "ind"), ("user", "ind"))
        for key in range(8)
    }
    assert all(len(chosen) == 1 for chosen in partitions.values())
    for key in range(8):
        assert partitions["pin", key] == partitions["geo", key] == partitions["user", key]
    assert len(set.union(*partitions.values())) > 1
