"""Spark reader of the `kinesis` source: each record once, child shards after their parents, failing on lost records.

The end of a micro-batch is known only after its records were fetched. So the driver fetches them while it plans the
batch, and passes them to Spark. Tasks fetch records only when a micro-batch is repeated after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import SimpleDataSourceStreamReader
from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow

from pin_pipeline.streaming.kinesis_source.fetcher import ShardFetcher, now_milliseconds
from pin_pipeline.streaming.kinesis_source.options import KinesisOptions
from pin_pipeline.streaming.kinesis_source.position import ShardPosition, SourceProgress
from pin_pipeline.streaming.kinesis_source.service import KinesisSourceError, KinesisStream, Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

SCHEMA = pa.schema(
    [
        ("partitionKey", pa.string()),
        ("data", pa.binary()),
        ("stream", pa.string()),
        ("shardId", pa.string()),
        ("sequenceNumber", pa.string()),
        ("approximateArrivalTimestamp", pa.timestamp("us", "UTC")),
    ]
)
IDLE_COMMITS = 24
"""Number of offsets committed per retention period while no records arrive.

They record that the stream was read up to that time, so that a restart knows that no record aged out unread.
"""

Offset = Mapping[str, Any]


class KinesisReader(SimpleDataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reader of one stream.

    Every method raises KinesisSourceError when Kinesis refuses or does not respond, when the stream was recreated since
    the checkpoint, and when records may have aged out before they were read.
    """

    def __init__(self, options: KinesisOptions) -> None:
        self._options = options
        self._stream = KinesisStream(options.stream, options.region, options.endpoint_url)
        self._fetcher = ShardFetcher(self._stream, options)
        self._shards: dict[str, Shard] = {}
        self._created = self._retention = 0
        self._listed_at: float | None = None

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 - Spark's name
        """Return the offset at which a query without a checkpoint starts."""
        created, _ = self._stream.describe()
        now = now_milliseconds()
        initial = self._options.initial or ShardPosition(at=now)
        # The oldest record is the default position of a shard, so it need not be stored.
        shards = [] if initial == ShardPosition() else self._stream.shards()
        return SourceProgress(self._options.stream, created, now, {shard.id: initial for shard in shards}).offset()

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """Restrict reading to the records that have arrived already."""
        self._fetcher.until = now_milliseconds()

    def read(self, start: Offset) -> tuple[Iterator[pa.RecordBatch], dict[str, Any]]:
        """Read the next micro-batch.

        Args:
            start: offset at which the previous micro-batch ended.

        Returns:
            The records and the offset at which they end; no records and `start` if none have arrived.
        """
        progress = SourceProgress.from_offset(start)
        self._refresh_shards()
        self._verify(progress)
        unread = [shard for shard in self._shards.values() if not progress.position(shard.id).ended]
        readable = [shard for shard in unread if self._parents_ended(shard, progress)]
        limit = max(1, self._options.records_per_trigger // max(1, len(readable)))
        ranges = self._fetcher.fetch({shard.id: progress.position(shard.id) for shard in readable}, limit)
        positions = {shard: position for shard, position in progress.shards.items() if shard in self._shards}
        positions |= {shard: fetched.end for shard, fetched in ranges.items() if fetched.end != ShardPosition()}
        # A shard that waits for its parents has not been read.
        read_at = (
            progress.read_at
            if len(readable) < len(unread)
            else min((fetched.read_at for fetched in ranges.values()), default=0)
        )
        if positions == progress.shards and read_at - progress.read_at < self._retention // IDLE_COMMITS:
            return iter(()), dict(start)
        batches = [
            self._to_arrow(shard, ranges[shard].records)
            for shard in positions
            if shard in ranges and ranges[shard].records
        ]
        return iter(batches), replace(progress, read_at=max(read_at, progress.read_at), shards=positions).offset()

    def readBetweenOffsets(self, start: Offset, end: Offset) -> Iterator[pa.RecordBatch]:  # noqa: N802 - Spark's name
        """Read a repeated micro-batch, in a task."""
        before, after = SourceProgress.from_offset(start), SourceProgress.from_offset(end)
        for shard, position in after.shards.items():
            begin = before.position(shard)
            if position.after is not None and position.after != begin.after:
                yield from self._read_again(shard, begin, position.after)

    def _read_again(self, shard: str, position: ShardPosition, last: str) -> Iterator[pa.RecordBatch]:
        iterator = None
        while True:
            fetched = self._stream.fetch(shard, position, iterator, self._options.records_per_fetch)
            records = [record for record in fetched.records if int(record["SequenceNumber"]) <= int(last)]
            if records:
                yield self._to_arrow(shard, records)
                position = ShardPosition(after=records[-1]["SequenceNumber"])
            if position.after == last:
                return
            iterator = fetched.next_iterator
            if len(records) < len(fetched.records) or iterator is None or not fetched.behind:
                self._report_loss(f"record {last} of shard {shard} no longer exists")
                return

    def _refresh_shards(self) -> None:
        """List the shards of the stream, unless they were listed within the interval and none has ended since."""
        now = time.monotonic()
        ended = any(fetched.end.ended for fetched in self._fetcher.last.values())
        if self._listed_at is None or ended or now - self._listed_at >= self._options.list_seconds:
            self._created, self._retention = self._stream.describe()
            self._shards = {shard.id: shard for shard in self._stream.shards()}
            self._listed_at = now

    def _verify(self, progress: SourceProgress) -> None:
        """Fail if the stream was recreated since the checkpoint, or if unread records may have aged out."""
        if self._created != progress.created:
            raise KinesisSourceError(
                f"stream {progress.stream!r} was created at {_format(self._created)}, but the checkpoint belongs to a "
                f"stream created at {_format(progress.created)}: the stream was deleted and recreated; start the query "
                "with a new checkpoint"
            )
        for shard, position in progress.shards.items():
            if not position.ended and shard not in self._shards:
                self._report_loss(f"shard {shard} was not read to its end and no longer exists")
        if now_milliseconds() - progress.read_at > self._retention:
            self._report_loss(
                f"records that arrived after {_format(progress.read_at)} were not read, and the stream retains records "
                f"for {self._retention / 3_600_000:g} hours"
            )

    def _report_loss(self, reason: str) -> None:
        if self._options.fail_on_data_loss:
            raise KinesisSourceError(
                f"records of stream {self._options.stream!r} may have aged out before they were read: {reason}; to "
                "continue with the remaining records, set failOnDataLoss to false"
            )

    def _to_arrow(self, shard: str, records: Sequence[RecordTypeDef]) -> pa.RecordBatch:
        count = len(records)
        columns = [
            [record["PartitionKey"] for record in records],
            [record["Data"] for record in records],
            [self._options.stream] * count,
            [shard] * count,
            [record["SequenceNumber"] for record in records],
            [record["ApproximateArrivalTimestamp"] for record in records],
        ]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _parents_ended(self, shard: Shard, progress: SourceProgress) -> bool:
        return all(progress.position(parent).ended for parent in shard.parents & self._shards.keys())


def _format(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
