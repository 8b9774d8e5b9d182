"""Which records of a stream a table has. It lies in the metadata of the commit that brought them, so both are one.

Spark's checkpoint tells a query where to go on; this tells a table what it has. A micro-batch that is done again, or a
checkpoint that is gone, therefore doubles nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.lakehouse.snapshot import Snapshot

SHARD, SEQUENCE_NUMBER = "source_shard", "source_sequence_number"


@dataclass(frozen=True)
class Coverage:
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

    def on(self, stream: str, created: int) -> Self:
        """The same for a stream; nothing is covered of another one than before."""
        same = (self.stream, self.created) == (stream, created)
        return self if same else replace(self, stream=stream, created=created, shards={})

    def missing(self, records: pa.Table) -> pa.Table:
        """Those of the records that are not covered; they have a shard and a sequence number each."""
        covered = {shard: int(number) for shard, number in self.shards.items()}
        new = [int(number) > covered.get(shard, -1) for shard, number in _positions(records)]
        return records if all(new) else records.filter(pa.array(new, pa.bool_()))

    def after(self, records: pa.Table) -> Self:
        """What is covered with these records, which were missing; their `problem` is null where they fit."""
        highest = {shard: int(number) for shard, number in self.shards.items()}
        for shard, number in _positions(records):
            highest[shard] = max(int(number), highest.get(shard, -1))
        return replace(
            self,
            shards={shard: str(number) for shard, number in highest.items()},
            records=self.records + records.num_rows,
            quarantined=self.quarantined + records.num_rows - records["problem"].null_count,
            arrived=_milliseconds(pc.min_max(records["arrived_at"])),
        )


def _positions(records: pa.Table) -> zip[tuple[str, str]]:
    return zip(records[SHARD].to_pylist(), records[SEQUENCE_NUMBER].to_pylist(), strict=True)


def _milliseconds(ends: pa.StructScalar) -> tuple[int, int]:
    oldest, newest = (round(ends[end].as_py().timestamp() * 1000) for end in ("min", "max"))
    return oldest, newest
