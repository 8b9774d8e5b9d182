"""Kinesis emulator: number of shards, tags and limits of streams."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pin_pipeline_tests.local.test_kinesis_emulator import (
    kinesis_client,
    put,
    raises_client_error,
    read,
    shards,
    stream,
)

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

__all__ = ["kinesis_client", "stream"]  # fixtures of this module


@pytest.mark.parametrize("targets", [(3, 6, 5, 3, 2, 1), (4, 8, 4, 7, 13)])
def test_update_shard_count_leaves_shards_with_equal_ranges_and_every_record(
    kinesis_client: KinesisClient, stream: str, targets: tuple[int, ...]
) -> None:
    keys = [f"key {number}" for number in range(50)]
    put(kinesis_client, stream, *keys)
    current = 2
    for target in targets:
        response = kinesis_client.update_shard_count(
            StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
        )
        assert (response["CurrentShardCount"], response["TargetShardCount"]) == (current, target)
        current = target
        opened = [
            each for each in shards(kinesis_client, stream) if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        found = sorted(int(each["HashKeyRange"]["StartingHashKey"]) for each in opened)
        assert found == [2**128 * number // target for number in range(target)]
        put(kinesis_client, stream, *keys)
    stored = [
        record["PartitionKey"]
        for shard in shards(kinesis_client, stream)
        for record in read(kinesis_client, stream, shard["ShardId"])["Records"]
    ]
    assert Counter(stored) == Counter(keys * (len(targets) + 1))


def test_update_shard_count_is_refused_beyond_half_and_twice_the_shards(
    kinesis_client: KinesisClient, stream: str
) -> None:
    kinesis_client.update_shard_count(StreamName=stream, TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    for target in (1, 7):
        with raises_client_error("InvalidArgumentException"):
            kinesis_client.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")


def test_tags_are_added_replaced_listed_in_pages_and_removed(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.add_tags_to_stream(StreamName=stream, Tags={"b": "1", "a": "2", "c": "3"})
    kinesis_client.add_tags_to_stream(StreamName=stream, Tags={"b": "new"})
    page = kinesis_client.list_tags_for_stream(StreamName=stream, Limit=2)
    assert (page["Tags"], page["HasMoreTags"]) == (
        [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "new"}],
        True,
    )
    rest = kinesis_client.list_tags_for_stream(StreamName=stream, ExclusiveStartTagKey="b")
    assert (rest["Tags"], rest["HasMoreTags"]) == ([{"Key": "c", "Value": "3"}], False)
    kinesis_client.remove_tags_from_stream(StreamName=stream, TagKeys=["a", "b", "none"])
    assert [tag["Key"] for tag in kinesis_client.list_tags_for_stream(StreamName=stream)["Tags"]] == ["c"]
    with raises_client_error("LimitExceededException"):
        kinesis_client.add_tags_to_stream(StreamName=stream, Tags={f"k{number}": "" for number in range(50)})


def test_describe_limits_counts_the_open_shards(kinesis_client: KinesisClient, stream: str) -> None:
    before = kinesis_client.describe_limits()["OpenShardCount"]
    kinesis_client.update_shard_count(StreamName=stream, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    assert kinesis_client.describe_limits()["OpenShardCount"] == before + 2
