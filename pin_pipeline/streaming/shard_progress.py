"""Which records of a stream a table has. It lies in the metadata of the commit that brought them, so both are one.

Spark's checkpoint tells a query where to go on; this tells a table what it has. A micro-batch that is done again, or a
checkpoint that is gone, therefore doubles nothing.
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
    """What a table was told of a stream, in the order of each shard.

    Attributes:
        stream: the stream's name.
        created: when it was created, in epoch milliseconds: one that is made again is another stream.
        shards: the highest sequence number by shard; all up to it are covered.
        records: how many records were covered since the table was made, of this stream and those before it.
        quarantined: how many of these did not fit.
        arrived: when the oldest and the newest record of the last batch came to the stream, in epoch milliseconds.
    """

    stream: str
    created: int
    shards: Mapping[str, str] = field(default_factory=dict)
    records: int = 0
    quarantined: int = 0
    arrived: tuple[int, int] | None = None

    @classmethod
    def of(cls, table: Snapshot) -> Self:
        """What the table's last commit says."""
        return cls(**table.last_commit.metadata)

    def metadata(self) -> str:
        """What the commit says that brings a table so far."""
        return json.dumps(asdict(self))

    def lag(self, committed: datetime) -> float | None:
        """For how many seconds the oldest record of the last batch was on its way; None before the first record."""
        return None if self.arrived is None else committed.timestamp() - self.arrived[0] / 1000

    def on(self, stream: str, created: int) -> Self:
        """The same for a stream; nothing is covered of another one than before."""
        same = (self.stream, self.created) == (stream, created)
        return self if same else replace(self, stream=stream, created=created, shards={})

    def missing(self, batch: Batch) -> Batch:
        """Those records of a batch that are not covered; usually all of them."""
        covered = {shard: int(number) for shard, number in self.shards.items()}
        if all(ends.lowest > covered.get(shard, -1) for shard, ends in batch.ends.items()):
            return batch
        new = [number > covered.get(shard, -1) for shard, number in batch.positions()]
        return Batch(batch.records.filter(pa.array(new, pa.bool_())))

    def after(self, batch: Batch) -> Self:
        """What is covered with a batch whose records were missing."""
        highest = {shard: str(ends.highest) for shard, ends in batch.ends.items()}
        records = batch.records
        return replace(
            self,
            shards={**self.shards, **highest},
            records=self.records + records.num_rows,
            quarantined=self.quarantined + records.num_rows - records["rejection"].null_count,
            arrived=_milliseconds(pc.min_max(records["arrived_at"])),
        )


class Ends(NamedTuple):
    """Between which sequence numbers the records of a shard lie, both included."""

    lowest: int
    highest: int


@dataclass(frozen=True)
class Batch:
    """Records that are judged, with the shard and the sequence number of each; their `rejection` is null if they fit."""

    records: pa.Table

    @cached_property
    def ends(self) -> Mapping[str, Ends]:
        """Between which sequence numbers they lie, by shard."""
        numbers: dict[str, list[int]] = {}
        for shard, number in self.positions():
            numbers.setdefault(shard, []).append(number)
        return {shard: Ends(min(of_shard), max(of_shard)) for shard, of_shard in numbers.items()}

    def positions(self) -> Iterator[tuple[str, int]]:
        """Shard and sequence number of each."""
        return zip(self.records[SHARD].to_pylist(), map(int, self.records[SEQUENCE_NUMBER].to_pylist()), strict=True)


def _milliseconds(ends: pa.StructScalar) -> tuple[int, int]:
    oldest, newest = (round(ends[end].as_py().timestamp() * 1000) for end in ("min", "max"))
    return oldest, newest
