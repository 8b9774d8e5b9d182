"""Read positions in a Kinesis stream, as stored in the checkpoint of a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class ShardPosition:
    """Position in a shard; by default its oldest record. The fields are JSON keys in checkpoints.

    Attributes:
        after: sequence number of the last record that was read.
        at: if no record was read yet, the arrival time of the first record to read, in epoch milliseconds.
        ended: whether the shard is closed and was read to its end.
    """

    after: str | None = None
    at: int | None = None
    ended: bool = False


@dataclass(frozen=True)
class SourceProgress:
    """Progress in a stream. The fields are JSON keys in checkpoints.

    Attributes:
        stream: name of the stream.
        created: creation time of the stream in epoch milliseconds; a recreated stream is another stream.
        read_at: time up to which all arrived records were read, in epoch milliseconds.
        shards: position by ID of each shard that reading has started in.
    """

    stream: str
    created: int
    read_at: int
    shards: Mapping[str, ShardPosition] = field(default_factory=dict)

    @classmethod
    def from_offset(cls, offset: Mapping[str, Any]) -> Self:
        """Return the progress that an offset in a checkpoint contains."""
        shards = {shard: ShardPosition(**position) for shard, position in offset["shards"].items()}
        return cls(**{**offset, "shards": shards})

    def position(self, shard: str) -> ShardPosition:
        """Return the position in a shard; its oldest record if reading has not started."""
        return self.shards.get(shard, ShardPosition())

    def offset(self) -> dict[str, Any]:
        """Return the progress as an offset for a checkpoint: Spark allows strings, integers and booleans only."""
        shards = {
            shard: {name: value for name, value in asdict(position).items() if value is not None}
            for shard, position in self.shards.items()
        }
        return {"stream": self.stream, "created": self.created, "read_at": self.read_at, "shards": shards}
