"""Fetcher of records from the shards of a stream: in parallel, throttled, and one micro-batch ahead."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pin_pipeline.streaming.kinesis_source.options import KinesisOptions
from pin_pipeline.streaming.kinesis_source.position import ShardPosition
from pin_pipeline.streaming.kinesis_source.service import FetchedRecords, KinesisStream, epoch_milliseconds

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

PARALLEL_SHARDS = 16


@dataclass(frozen=True)
class ShardRange:
    """Consecutive records of a shard.

    Attributes:
        start: position before the first record.
        end: position after the last record.
        records: records as boto3 returns them.
        read_at: time up to which all arrived records were read, in epoch milliseconds.
        iterator: iterator of the next records; None at the end of a closed shard or of the records to read.
        requested_at: monotonic time of the last request.
    """

    start: ShardPosition
    end: ShardPosition
    records: Sequence[RecordTypeDef]
    read_at: int
    iterator: str | None
    requested_at: float


class ShardFetcher:
    """Fetches the next records of shards, and remembers the last range of each.

    Attributes:
        until: arrival time of the last records to fetch, in epoch milliseconds; None to fetch without an end.
        last: range by shard of the last call.
    """

    def __init__(self, stream: KinesisStream, options: KinesisOptions) -> None:
        self.until: int | None = None
        self.last: Mapping[str, ShardRange] = {}
        self._stream, self._options = stream, options
        self._prefetched: Future[Mapping[str, ShardRange]] | None = None

    def fetch(self, starts: Mapping[str, ShardPosition], limit: int) -> Mapping[str, ShardRange]:
        """Fetch the next records of each shard, and prefetch in the background where more are available.

        Args:
            starts: position to start at, by shard.
            limit: maximum number of records per shard.

        Raises:
            KinesisSourceError: Kinesis refuses or does not respond.
        """
        prefetched = self._prefetched.result() if self._prefetched else {}
        ranges = {shard: fetched for shard, fetched in prefetched.items() if starts.get(shard) == fetched.start}
        others = {shard: start for shard, start in starts.items() if shard not in ranges}
        self.last = {**ranges, **self._fetch_shards(others, limit)}
        continued = {shard: fetched.end for shard, fetched in self.last.items() if len(fetched.records) >= limit}
        self._prefetched = None
        if continued:
            background = ThreadPoolExecutor(1)
            self._prefetched = background.submit(self._fetch_shards, continued, limit)
            background.shutdown(wait=False)
        return self.last

    def _fetch_shards(self, starts: Mapping[str, ShardPosition], limit: int) -> Mapping[str, ShardRange]:
        with ThreadPoolExecutor(PARALLEL_SHARDS) as pool:
            ranges = pool.map(lambda shard: self._fetch_shard(shard, starts[shard], limit), starts)
            return dict(zip(starts, ranges, strict=True))

    def _fetch_shard(self, shard: str, start: ShardPosition, limit: int) -> ShardRange:
        """Fetch the records of a shard up to the limit, the latest record or `until`."""
        last = self.last.get(shard)
        iterator = last.iterator if last and last.end == start else None
        requested_at = last.requested_at if last else 0.0
        records: list[RecordTypeDef] = []
        position = start
        while True:
            time.sleep(max(0.0, requested_at + self._options.fetch_seconds - time.monotonic()))
            requested_at, now = time.monotonic(), now_milliseconds()
            count = min(self._options.records_per_fetch, limit - len(records))
            fetched = self._stream.fetch(shard, position, iterator, count)
            accepted = self._arrived_in_time(fetched)
            records += accepted
            if accepted:
                position = ShardPosition(after=accepted[-1]["SequenceNumber"])
            if len(accepted) < len(fetched.records):
                read_at = epoch_milliseconds(fetched.records[len(accepted)]["ApproximateArrivalTimestamp"])
                return ShardRange(start, position, records, read_at, None, requested_at)
            iterator = fetched.next_iterator
            if iterator is None:
                return ShardRange(start, replace(position, ended=True), records, now, None, requested_at)
            if not fetched.behind or len(records) >= limit:
                return ShardRange(start, position, records, now - fetched.behind, iterator, requested_at)

    def _arrived_in_time(self, fetched: FetchedRecords) -> Sequence[RecordTypeDef]:
        if self.until is None:
            return fetched.records
        for index, record in enumerate(fetched.records):
            if epoch_milliseconds(record["ApproximateArrivalTimestamp"]) > self.until:
                return fetched.records[:index]
        return fetched.records


def now_milliseconds() -> int:
    """Return the current time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
