"""Request and response bodies: their types, and the parts that several responses share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pin_pipeline.local.kinesis_emulator.stream_store import SHARD_ID, StoredShard

RequestBody = Mapping[str, Any]
ResponseBody = dict[str, Any]


def shard_description(shard: StoredShard) -> ResponseBody:
    """Describe a shard as ListShards and DescribeStream return it."""
    sequence_numbers = {"StartingSequenceNumber": shard.sequence_number(shard.first_number)}
    if shard.last_number is not None:
        sequence_numbers["EndingSequenceNumber"] = shard.sequence_number(shard.last_number)
    description: ResponseBody = {
        "ShardId": shard.id,
        "HashKeyRange": hash_key_range(shard),
        "SequenceNumberRange": sequence_numbers,
    }
    return description | dict(zip(("ParentShardId", "AdjacentParentShardId"), parent_ids(shard), strict=False))


def child_shard(shard: StoredShard) -> ResponseBody:
    """Describe a shard as GetRecords returns the children of a closed shard."""
    return {"ShardId": shard.id, "ParentShards": parent_ids(shard), "HashKeyRange": hash_key_range(shard)}


def parent_ids(shard: StoredShard) -> list[str]:
    """Return the ids of the shards that a shard was split or merged from."""
    return [SHARD_ID.format(number) for number in (shard.parent, shard.adjacent_parent) if number is not None]


def hash_key_range(shard: StoredShard) -> ResponseBody:
    """Return the range of hash keys of a shard."""
    return {"StartingHashKey": str(shard.first_hash_key), "EndingHashKey": str(shard.last_hash_key)}


def decoded_size(data: str) -> int:
    """Return the number of bytes that a base64 text encodes."""
    return len(data) * 3 // 4 - data.endswith("=") - data.endswith("==")
