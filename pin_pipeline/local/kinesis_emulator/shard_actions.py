"""Actions on shards: list, split and merge."""

from __future__ import annotations

import base64

from pin_pipeline.local.kinesis_emulator.errors import invalid_argument
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody, shard_description
from pin_pipeline.local.kinesis_emulator.stream_lookup import StreamLookup

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
