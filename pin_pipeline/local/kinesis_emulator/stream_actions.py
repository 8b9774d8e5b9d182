"""Actions on streams: create, delete, list, describe and retention period."""

from __future__ import annotations

import re

from pin_pipeline.local.kinesis_emulator.errors import validation_error
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody, shard_description
from pin_pipeline.local.kinesis_emulator.quotas import MAX_RETENTION_HOURS, MAX_SHARDS, MIN_RETENTION_HOURS
from pin_pipeline.local.kinesis_emulator.stream_lookup import HOUR_MILLISECONDS, StreamLookup
from pin_pipeline.local.kinesis_emulator.stream_store import StoredStream

ACCOUNT = "000000000000"
STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
DEFAULT_PAGE = 100
MAX_ON_DEMAND_STREAMS = 50
"""Default quota of an account; the emulator has no such streams."""


class StreamActions:
    """Actions on streams."""

    def __init__(self, lookup: StreamLookup, region: str) -> None:
        self._lookup, self._store, self._region = lookup, lookup.store, region

    def create_stream(self, request: RequestBody) -> ResponseBody:
        """Handle CreateStream."""
        name, shards = request.get("StreamName", ""), request.get("ShardCount", 1)
        if not STREAM_NAME.fullmatch(name):
            raise validation_error(f"invalid StreamName {name!r}: expected a match of {STREAM_NAME.pattern}")
        if not 1 <= shards <= MAX_SHARDS:
            raise validation_error(f"invalid ShardCount {shards}: expected 1 to {MAX_SHARDS}")
        self._store.create(name, shards, MIN_RETENTION_HOURS)
        return {}

    def delete_stream(self, request: RequestBody) -> ResponseBody:
        """Handle DeleteStream."""
        self._store.delete(self._lookup.stream(request))
        return {}

    def list_streams(self, request: RequestBody) -> ResponseBody:
        """Handle ListStreams."""
        after = request.get("NextToken") or request.get("ExclusiveStartStreamName", "")
        limit = request.get("Limit", DEFAULT_PAGE)
        remaining = [stream for stream in self._store.streams() if stream.name > after]
        page, has_more = remaining[:limit], len(remaining) > limit
        summaries = [{**self._identity(stream), "StreamCreationTimestamp": stream.created / 1000} for stream in page]
        names = [stream.name for stream in page]
        response: ResponseBody = {"StreamNames": names, "StreamSummaries": summaries, "HasMoreStreams": has_more}
        return {**response, "NextToken": names[-1]} if has_more else response

    def describe_stream(self, request: RequestBody) -> ResponseBody:
        """Handle DescribeStream."""
        stream, limit = self._lookup.stream(request), request.get("Limit", DEFAULT_PAGE)
        after = request.get("ExclusiveStartShardId", "")
        shards = [shard for shard in self._store.shards(stream) if shard.id > after]
        page = [shard_description(shard) for shard in shards[:limit]]
        return {"StreamDescription": {**self._summary(stream), "Shards": page, "HasMoreShards": len(shards) > limit}}

    def describe_stream_summary(self, request: RequestBody) -> ResponseBody:
        """Handle DescribeStreamSummary."""
        stream = self._lookup.stream(request)
        count = len(self._lookup.open_shards(stream))
        return {"StreamDescriptionSummary": {**self._summary(stream), "OpenShardCount": count, "ConsumerCount": 0}}

    def set_retention_period(self, request: RequestBody) -> ResponseBody:
        """Handle IncreaseStreamRetentionPeriod and DecreaseStreamRetentionPeriod."""
        hours = request["RetentionPeriodHours"]
        if not MIN_RETENTION_HOURS <= hours <= MAX_RETENTION_HOURS:
            raise validation_error(
                f"invalid RetentionPeriodHours {hours}: expected {MIN_RETENTION_HOURS} to {MAX_RETENTION_HOURS}"
            )
        self._store.set_retention(self._lookup.stream(request), hours)
        return {}

    def describe_limits(self, _request: RequestBody) -> ResponseBody:
        """Handle DescribeLimits."""
        open_shards = sum(len(self._lookup.open_shards(stream)) for stream in self._store.streams())
        on_demand = {"OnDemandStreamCount": 0, "OnDemandStreamCountLimit": MAX_ON_DEMAND_STREAMS}
        return {"ShardLimit": MAX_SHARDS, "OpenShardCount": open_shards, **on_demand}

    def _summary(self, stream: StoredStream) -> ResponseBody:
        return {
            **self._identity(stream),
            "RetentionPeriodHours": self._lookup.retention(stream) / HOUR_MILLISECONDS,
            "StreamCreationTimestamp": stream.created / 1000,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        }

    def _identity(self, stream: StoredStream) -> ResponseBody:
        return {
            "StreamName": stream.name,
            "StreamARN": f"arn:aws:kinesis:{self._region}:{ACCOUNT}:stream/{stream.name}",
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        }
