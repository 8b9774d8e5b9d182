"""How a query reads a stream: each record once, shards after their parents, and never past what was lost.

The driver fetches the records while it looks how far a micro-batch can go, because only reading tells that, and hands
them to Spark as they are. Only a batch that is done again after a restart is read again, by a task, between offsets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import SimpleDataSourceStreamReader
from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow

from pin_pipeline.streaming.kinesis_source.options import Options
from pin_pipeline.streaming.kinesis_source.position import ShardPosition, SourceProgress
from pin_pipeline.streaming.kinesis_source.service import (
    Fetched,
    KinesisSourceError,
    KinesisStream,
    Shard,
    milliseconds,
)

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
SHARDS_AT_ONCE = 16
# So often, within the time that records are kept, a stream without records says that it was read up to now: a restart
# knows then that nothing aged out unread.
SIGNS_OF_LIFE = 24

Offset = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """What was fetched of a shard.

    Attributes:
        start: where it begins.
        end: where it ends.
        records: as the client gives them.
        read_at: what arrived before this moment, in epoch milliseconds, was read.
        iterator: what goes on behind it; None where there is none, or it is not wanted.
        asked: when the last request was made, by the monotonic clock.
    """

    start: ShardPosition
    end: ShardPosition
    records: Sequence[RecordTypeDef]
    read_at: int
    iterator: str | None
    asked: float


class KinesisReader(SimpleDataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads one stream.

    Every method raises StreamError where the service refuses or does not answer, where the stream was deleted and
    made again since the checkpoint, and where records may have aged out before they were read.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._kinesis = KinesisStream(options.stream, options.region, options.endpoint_url)
        self._until: int | None = None
        self._parts: Mapping[str, Part] = {}
        self._ahead: Future[Mapping[str, Part]] | None = None
        self._known: dict[str, Shard] = {}
        self._created = self._retention = 0
        self._looked: float | None = None

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 - Spark's name
        """Where a query without a checkpoint begins."""
        created, _ = self._kinesis.created()
        now = _now()
        initial = self._options.initial or ShardPosition(at=now)
        # At its oldest record is where every shard begins that nothing is said of.
        shards = [] if initial == ShardPosition() else self._kinesis.shards()
        return SourceProgress(self._options.stream, created, now, {shard.id: initial for shard in shards}).offset()

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """Read what has arrived by now, and nothing later."""
        self._until = _now()

    def read(self, start: Offset) -> tuple[Iterator[pa.RecordBatch], dict[str, Any]]:
        """The next records, as many as the options allow, and how far they go; none and the start where none came."""
        progress = SourceProgress.from_offset(start)
        self._look()
        self._verify(progress)
        unread = [shard for shard in self._known.values() if not progress.position(shard.id).ended]
        readable = [shard for shard in unread if self._parents_ended(shard, progress)]
        share = max(1, self._options.records_a_trigger // max(1, len(readable)))
        parts = self._fetch({shard.id: progress.position(shard.id) for shard in readable}, share)
        positions = {shard: position for shard, position in progress.shards.items() if shard in self._known}
        positions |= {shard: part.end for shard, part in parts.items() if part.end != ShardPosition()}
        # Of a shard that waits for its parents nothing was read by now.
        read_at = (
            progress.read_at
            if len(readable) < len(unread)
            else min((part.read_at for part in parts.values()), default=0)
        )
        if positions == progress.shards and read_at - progress.read_at < self._retention // SIGNS_OF_LIFE:
            return iter(()), dict(start)
        batches = [
            self._batch(shard, parts[shard].records) for shard in positions if shard in parts and parts[shard].records
        ]
        return iter(batches), replace(progress, read_at=max(read_at, progress.read_at), shards=positions).offset()

    def readBetweenOffsets(self, start: Offset, end: Offset) -> Iterator[pa.RecordBatch]:  # noqa: N802
        """The records of a micro-batch once more, by a task."""
        before, after = SourceProgress.from_offset(start), SourceProgress.from_offset(end)
        for shard, position in after.shards.items():
            begin = before.position(shard)
            if position.after is not None and position.after != begin.after:
                yield from self._read_again(shard, begin, position.after)

    def _fetch(self, starts: Mapping[str, ShardPosition], share: int) -> Mapping[str, Part]:
        """Fetch the next part of each shard; where there is more, go on with the part behind it in the background."""
        ahead = self._ahead.result() if self._ahead else {}
        fetched = {shard: part for shard, part in ahead.items() if starts.get(shard) == part.start}
        others = {shard: start for shard, start in starts.items() if shard not in fetched}
        self._parts = {**fetched, **self._fetch_now(others, share)}
        more = {shard: part.end for shard, part in self._parts.items() if len(part.records) >= share}
        self._ahead = None
        if more:
            background = ThreadPoolExecutor(1)
            self._ahead = background.submit(self._fetch_now, more, share)
            background.shutdown(wait=False)
        return self._parts

    def _fetch_now(self, starts: Mapping[str, ShardPosition], share: int) -> Mapping[str, Part]:
        with ThreadPoolExecutor(SHARDS_AT_ONCE) as pool:
            parts = pool.map(lambda shard: self._read_on(shard, starts[shard], share), starts)
            return dict(zip(starts, parts, strict=True))

    def _read_on(self, shard: str, start: ShardPosition, share: int) -> Part:
        """Fetch a shard's records, up to the share, the latest, or what had arrived when the query began."""
        last = self._parts.get(shard)
        iterator = last.iterator if last and last.end == start else None
        asked = last.asked if last else 0.0
        records: list[RecordTypeDef] = []
        position = start
        while True:
            time.sleep(max(0.0, asked + self._options.fetch_seconds - time.monotonic()))
            asked, now = time.monotonic(), _now()
            most = self._options.records_a_fetch
            fetched = self._kinesis.fetch(shard, position, iterator, min(most, share - len(records)))
            wanted = self._arrived_in_time(fetched)
            records += wanted
            if wanted:
                position = ShardPosition(after=wanted[-1]["SequenceNumber"])
            if len(wanted) < len(fetched.records):
                left = milliseconds(fetched.records[len(wanted)]["ApproximateArrivalTimestamp"])
                return Part(start, position, records, left, None, asked)
            iterator = fetched.next_iterator
            if iterator is None:
                return Part(start, replace(position, ended=True), records, now, None, asked)
            if not fetched.behind or len(records) >= share:
                return Part(start, position, records, now - fetched.behind, iterator, asked)

    def _read_again(self, shard: str, position: ShardPosition, last: str) -> Iterator[pa.RecordBatch]:
        iterator = None
        while True:
            fetched = self._kinesis.fetch(shard, position, iterator, self._options.records_a_fetch)
            records = [record for record in fetched.records if int(record["SequenceNumber"]) <= int(last)]
            if records:
                yield self._batch(shard, records)
                position = ShardPosition(after=records[-1]["SequenceNumber"])
            if position.after == last:
                return
            iterator = fetched.next_iterator
            if len(records) < len(fetched.records) or iterator is None or not fetched.behind:
                self._lost(f"the record of sequence number {last} in {shard} is there no more")
                return

    def _arrived_in_time(self, fetched: Fetched) -> Sequence[RecordTypeDef]:
        if self._until is None:
            return fetched.records
        for place, record in enumerate(fetched.records):
            if milliseconds(record["ApproximateArrivalTimestamp"]) > self._until:
                return fetched.records[:place]
        return fetched.records

    def _look(self) -> None:
        """Ask for the stream's shards, unless that was done a moment ago."""
        now = time.monotonic()
        ended = any(part.end.ended for part in self._parts.values())
        if self._looked is None or ended or now - self._looked >= self._options.list_seconds:
            self._created, self._retention = self._kinesis.created()
            self._known = {shard.id: shard for shard in self._kinesis.shards()}
            self._looked = now

    def _verify(self, progress: SourceProgress) -> None:
        """Refuse to go on where the stream is another one, or where it may have forgotten what was not read."""
        if self._created != progress.created:
            raise KinesisSourceError(
                f"stream {progress.stream} was created at {_moment(self._created)}, but the checkpoint is of one that "
                f"was created at {_moment(progress.created)}: it was deleted and made again; start the query with a "
                "new checkpoint"
            )
        for shard, position in progress.shards.items():
            if not position.ended and shard not in self._known:
                self._lost(f"{shard} was not read to its end, and is there no more")
        if _now() - progress.read_at > self._retention:
            self._lost(
                f"what arrived after {_moment(progress.read_at)} was not read, and the stream keeps its records for "
                f"{self._retention / 3_600_000:g} hours only"
            )

    def _lost(self, what: str) -> None:
        if self._options.fail_on_data_loss:
            raise KinesisSourceError(
                f"records of stream {self._options.stream} may have aged out before they were read: {what}; to go on "
                "with those that are left, set failOnDataLoss to false"
            )

    def _batch(self, shard: str, records: Sequence[RecordTypeDef]) -> pa.RecordBatch:
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
        return all(progress.position(parent).ended for parent in shard.parents & self._known.keys())


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _now() -> int:
    return time.time_ns() // 1_000_000
