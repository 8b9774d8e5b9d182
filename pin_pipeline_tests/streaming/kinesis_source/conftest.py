"""Kinesis streams per test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pin_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient


class KinesisTestStream:
    """Stream with operations on its records and shards."""

    def __init__(self, client: KinesisClient, name: str, shards: int = 2) -> None:
        self.client = client
        self.name = name
        client.create_stream(StreamName=name, ShardCount=shards)

    def put(self, *texts: str) -> None:
        """Put records; the first letter is the partition key."""
        records: list[Any] = [{"PartitionKey": text[0], "Data": text.encode()} for text in texts]
        self.client.put_records(StreamName=self.name, Records=records)

    def open_shards(self) -> list[Any]:
        """Return the open shards, sorted by hash key."""
        shards: list[Any] = self.client.list_shards(StreamName=self.name)["Shards"]
        open_shards = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        return sorted(open_shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    def split(self) -> None:
        """Split the first open shard in the middle."""
        shard, *_ = self.open_shards()
        low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        middle = str((low + high + 1) // 2)
        self.client.split_shard(StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)

    def merge(self) -> None:
        """Merge the first two open shards."""
        one, other, *_ = (shard["ShardId"] for shard in self.open_shards())
        self.client.merge_shards(StreamName=self.name, ShardToMerge=one, AdjacentShardToMerge=other)


@pytest.fixture
def new_stream(local_environment: Settings, settings: Settings) -> Callable[..., KinesisTestStream]:
    """Create a stream named after the test's prefix, on the shared endpoint or with another client."""

    def create(client: KinesisClient | None = None, shards: int = 2) -> KinesisTestStream:
        endpoint_url = local_environment.kinesis_endpoint_url
        client = client or boto3.client("kinesis", endpoint_url=endpoint_url, region_name="us-east-1")
        return KinesisTestStream(client, settings.prefix, shards)

    return create
