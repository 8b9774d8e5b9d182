"""How far a stream was read: what a checkpoint keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class ShardPosition:
    """Where to go on in a shard; without anything, at its oldest record.

    Attributes:
        after: the sequence number of the last record that was read.
        at: where none was read, the moment from which on to read, in epoch milliseconds.
        ended: whether the shard is closed and read to its end.
    """

    after: str | None = None
    at: int | None = None
    ended: bool = False


@dataclass(frozen=True)
class SourceProgress:
    """How far a stream was read.

    Attributes:
        stream: its name.
        created: when it was created, in epoch milliseconds: a stream that was deleted and made again is another one.
        read_at: when its shards were last asked for records, in epoch milliseconds: what came earlier was read.
        shards: the position in each shard that was begun, by its id.
    """

    stream: str
    created: int
    read_at: int
    shards: Mapping[str, ShardPosition] = field(default_factory=dict)

    @classmethod
    def from_offset(cls, offset: Mapping[str, Any]) -> Self:
        """What a checkpoint has kept."""
        shards = {shard: ShardPosition(**position) for shard, position in offset["shards"].items()}
        return cls(**{**offset, "shards": shards})

    def position(self, shard: str) -> ShardPosition:
        """The position in a shard; its beginning where it was not begun."""
        return self.shards.get(shard, ShardPosition())

    def offset(self) -> dict[str, Any]:
        """What a checkpoint keeps: only texts, whole numbers and booleans, as Spark wants it."""
        shards = {
            shard: {name: value for name, value in asdict(position).items() if value is not None}
            for shard, position in self.shards.items()
        }
        return {"stream": self.stream, "created": self.created, "read_at": self.read_at, "shards": shards}
