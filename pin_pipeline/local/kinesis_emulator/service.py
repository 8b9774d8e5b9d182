"""Kinesis service: dispatches each action of the API of 2013-12-02 to the code that implements it.

Behaviour follows the AWS documentation of Kinesis Data Streams, except that streams are active at once and that
throughput is limited only if `Quotas` sets a limit.
"""

from __future__ import annotations

from collections.abc import Callable

from pin_pipeline.local.kinesis_emulator.errors import KinesisRequestError
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody, ResponseBody
from pin_pipeline.local.kinesis_emulator.quotas import Quotas
from pin_pipeline.local.kinesis_emulator.record_actions import RecordActions
from pin_pipeline.local.kinesis_emulator.shard_actions import ShardActions
from pin_pipeline.local.kinesis_emulator.stream_actions import StreamActions
from pin_pipeline.local.kinesis_emulator.stream_lookup import StreamLookup
from pin_pipeline.local.kinesis_emulator.stream_store import StreamStore
from pin_pipeline.local.kinesis_emulator.tag_actions import TagActions


class KinesisService:
    """The actions of the API by name."""

    def __init__(self, store: StreamStore, region: str, quotas: Quotas) -> None:
        lookup = StreamLookup(store, quotas)
        streams, shards = StreamActions(lookup, region), ShardActions(lookup)
        records, tags = RecordActions(lookup, quotas), TagActions(lookup)
        self._actions: dict[str, Callable[[RequestBody], ResponseBody]] = {
            "AddTagsToStream": tags.add_tags,
            "CreateStream": streams.create_stream,
            "DeleteStream": streams.delete_stream,
            "DescribeLimits": streams.describe_limits,
            "DescribeStream": streams.describe_stream,
            "DescribeStreamSummary": streams.describe_stream_summary,
            "GetRecords": records.get_records,
            "GetShardIterator": records.get_shard_iterator,
            "IncreaseStreamRetentionPeriod": streams.set_retention_period,
            "DecreaseStreamRetentionPeriod": streams.set_retention_period,
            "ListShards": shards.list_shards,
            "ListStreams": streams.list_streams,
            "ListTagsForStream": tags.list_tags,
            "MergeShards": shards.merge_shards,
            "PutRecord": records.put_record,
            "PutRecords": records.put_records,
            "RemoveTagsFromStream": tags.remove_tags,
            "SplitShard": shards.split_shard,
            "UpdateShardCount": shards.update_shard_count,
        }

    def call(self, action: str, request: RequestBody) -> ResponseBody:
        """Run an action and return its response.

        Raises:
            KinesisRequestError: the request is refused.
        """
        if action not in self._actions:
            raise KinesisRequestError(
                "UnknownOperationException", f"action {action!r} is not supported by the emulator"
            )
        return self._actions[action](request)
