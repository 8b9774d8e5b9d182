"""Actions on shards: list, split, merge, and change of their number."""

from __future__ import annotations

import base64
from itertools import pairwise

from pin_pipeline.local.kinesis_emulator.errors import invalid_argument
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody, shard_description
from pin_pipeline.local.kinesis_emulator.quotas import MAX_SHARDS
from pin_pipeline.local.kinesis_emulator.stream_lookup import StreamLookup
from pin_pipeline.local.kinesis_emulator.stream_store import HASH_KEYS, StoredShard, StoredStream

DEFAULT_PAGE = 1_000


class ShardActions:
    """Actions on shards."""

    def __init__(self, lookup: StreamLookup) -> None:
        self._lookup, self._store = lookup, lookup.store

    def list_shards(self, request: RequestBody) -> ResponseBody:
        """Handle ListShards."""
        if token := request.get("NextToken"):
            name, _, after = base64.b64decode(token).decode().partition("/")
            stream = self._store.stream(name)
        else:
            stream, after = self._lookup.stream(request), request.get("ExclusiveStartShardId", "")
        limit = request.get("MaxResults", DEFAULT_PAGE)
        shards = [shard for shard in self._store.shards(stream) if shard.id > after]
        response: ResponseBody = {"Shards": [shard_description(shard) for shard in shards[:limit]]}
        if len(shards) > limit:
            response["NextToken"] = base64.b64encode(f"{stream.name}/{shards[limit - 1].id}".encode()).decode()
        return response

    def split_shard(self, request: RequestBody) -> ResponseBody:
        """Handle SplitShard."""
        stream = self._lookup.stream(request)
        shard = self._lookup.open_shard(stream, request.get("ShardToSplit", ""))
        middle = int(request["NewStartingHashKey"])
        if not shard.first_hash_key < middle <= shard.last_hash_key:
            raise invalid_argument(f"NewStartingHashKey {middle} is not within the hash keys of shard {shard.id}")
        self._store.reshard(stream, [shard], [(shard.first_hash_key, middle - 1), (middle, shard.last_hash_key)])
        return {}

    def merge_shards(self, request: RequestBody) -> ResponseBody:
        """Handle MergeShards."""
        stream = self._lookup.stream(request)
        shard, adjacent = (
            self._lookup.open_shard(stream, request.get(name, "")) for name in ("ShardToMerge", "AdjacentShardToMerge")
        )
        low, high = sorted((shard, adjacent), key=lambda each: each.first_hash_key)
        if low.last_hash_key + 1 != high.first_hash_key:
            raise invalid_argument(f"shards {shard.id} and {adjacent.id} are not adjacent")
        self._store.reshard(stream, [shard, adjacent], [(low.first_hash_key, high.last_hash_key)])
        return {}

    def update_shard_count(self, request: RequestBody) -> ResponseBody:
        """Handle UpdateShardCount: split and merge shards, as AWS does, until they have equal ranges of hash keys."""
        stream, target = self._lookup.stream(request), request["TargetShardCount"]
        current = len(self._lookup.open_shards(stream))
        low, high = -(-current // 2), min(current * 2, MAX_SHARDS)
        if not low <= target <= high:
            raise invalid_argument(
                f"TargetShardCount {target} is invalid: expected {low} to {high}, for {current} shards"
            )
        bounds = [HASH_KEYS * number // target for number in range(target + 1)]
        for bound in bounds[1:-1]:
            [shard] = [each for each in self._open(stream) if each.first_hash_key <= bound <= each.last_hash_key]
            if shard.first_hash_key < bound:
                self._store.reshard(stream, [shard], [(shard.first_hash_key, bound - 1), (bound, shard.last_hash_key)])
        for first, after in pairwise(bounds):
            while len(parts := [each for each in self._open(stream) if first <= each.first_hash_key < after]) > 1:
                self._store.reshard(stream, parts[:2], [(parts[0].first_hash_key, parts[1].last_hash_key)])
        return {"StreamName": stream.name, "CurrentShardCount": current, "TargetShardCount": target}

    def _open(self, stream: StoredStream) -> list[StoredShard]:
        return sorted(self._lookup.open_shards(stream), key=lambda shard: shard.first_hash_key)
