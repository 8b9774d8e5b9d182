"""Progress of a Delta table in a stream, stored in the metadata of the commit that appended the rows.

Spark's checkpoint tells a query where to resume; the progress tells which records the table already contains.
Therefore a repeated micro-batch or a lost checkpoint creates no duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.storage.delta_snapshot import Snapshot

SHARD, SEQUENCE_NUMBER = "source_shard", "source_sequence_number"


@dataclass(frozen=True)
class ShardProgress:
    """High-water mark per shard of a stream. The fields are the JSON keys of the commit metadata.

    Attributes:
        stream: name of the stream.
        created: creation time of the stream in epoch milliseconds; a recreated stream is another stream.
        shards: highest processed sequence number by shard; every record up to it has been processed.
        records: number of records processed since the table was created, from this stream and earlier ones.
        quarantined: how many of them were rejected.
        arrived: arrival times of the oldest and the newest record of the last batch, in epoch milliseconds.
    """

    stream: str
    created: int
    shards: Mapping[str, str] = field(default_factory=dict)
    records: int = 0
    quarantined: int = 0
    arrived: tuple[int, int] | None = None

    @classmethod
    def of(cls, table: Snapshot) -> Self:
        """Return the progress that the last commit of a table contains."""
        return cls(**table.last_commit.metadata)

    def metadata(self) -> str:
        """Return the progress as JSON, for the metadata of a commit."""
        return json.dumps(asdict(self))

    def lag(self, committed: datetime) -> float | None:
        """Return the seconds from the arrival of the last batch's oldest record to the commit; None without a batch."""
        return None if self.arrived is None else committed.timestamp() - self.arrived[0] / 1000

    def for_stream(self, stream: str, created: int) -> Self:
        """Return the progress in the given stream: this one if it is the same stream, else one without shards."""
        same = (self.stream, self.created) == (stream, created)
        return self if same else replace(self, stream=stream, created=created, shards={})

    def unprocessed(self, batch: ClassifiedBatch) -> ClassifiedBatch:
        """Return the records of a batch that have not been processed yet; usually all of them."""
        processed = {shard: int(number) for shard, number in self.shards.items()}
        if all(sequence.lowest > processed.get(shard, -1) for shard, sequence in batch.ranges.items()):
            return batch
        is_new = [number > processed.get(shard, -1) for shard, number in batch.positions()]
        return ClassifiedBatch(batch.records.filter(pa.array(is_new, pa.bool_())))

    def after(self, batch: ClassifiedBatch) -> Self:
        """Return the progress after a batch of unprocessed records."""
        highest = {shard: str(sequence.highest) for shard, sequence in batch.ranges.items()}
        records = batch.records
        return replace(
            self,
            shards={**self.shards, **highest},
            records=self.records + records.num_rows,
            quarantined=self.quarantined + records.num_rows - records["rejection"].null_count,
            arrived=_epoch_milliseconds(pc.min_max(records["arrived_at"])),
        )


class SequenceRange(NamedTuple):
    """Lowest and highest sequence number of records of one shard, both included."""

    lowest: int
    highest: int


@dataclass(frozen=True)
class ClassifiedBatch:
    """Classified records with their shards and sequence numbers; `rejection` is null for accepted records."""

    records: pa.Table

    @cached_property
    def ranges(self) -> Mapping[str, SequenceRange]:
        """Range of sequence numbers by shard."""
        numbers: dict[str, list[int]] = {}
        for shard, number in self.positions():
            numbers.setdefault(shard, []).append(number)
        return {shard: SequenceRange(min(in_shard), max(in_shard)) for shard, in_shard in numbers.items()}

    def positions(self) -> Iterator[tuple[str, int]]:
        """Yield the shard and the sequence number of each record."""
        return zip(self.records[SHARD].to_pylist(), map(int, self.records[SEQUENCE_NUMBER].to_pylist()), strict=True)


def _epoch_milliseconds(min_max: pa.StructScalar) -> tuple[int, int]:
    oldest, newest = (round(min_max[name].as_py().timestamp() * 1000) for name in ("min", "max"))
    return oldest, newest
