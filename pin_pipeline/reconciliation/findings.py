"""What an audit says: counts that add up, and every record that breaks the law by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar


class Breach(StrEnum):
    """How a record breaks the law: landed = published + superseded + quarantined, each as it came."""

    DROPPED = "dropped"
    INVENTED = "invented"
    DOUBLED = "doubled"
    ALTERED = "altered"
    LOST = "lost"
    MISJUDGED = "misjudged"


DESCRIPTIONS: dict[Breach, str] = {
    Breach.DROPPED: "On the topic, but not on S3, although later records are.",
    Breach.INVENTED: "On S3, in a table or in quarantine, but not where it says it comes from.",
    Breach.DOUBLED: "More than once on S3, in a table or in quarantine.",
    Breach.ALTERED: "Other bytes or cells than those of the record it comes from.",
    Breach.LOST: "On S3 and read, but neither published nor superseded nor in quarantine.",
    Breach.MISJUDGED: "In quarantine by the rules of today although it fits, or for another reason than theirs.",
}


class TopicPosition(NamedTuple):
    """Where a record stands on its topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"partition {self.partition}, offset {self.offset}"


class StreamPosition(NamedTuple):
    """Where a record stands in its stream."""

    shard: str
    sequence_number: int

    def __str__(self) -> str:
        return f"{self.shard}, sequence number {self.sequence_number}"


Part = TypeVar("Part", int, str)
Place = TypeVar("Place", TopicPosition, StreamPosition)


class Defect(NamedTuple, Generic[Place]):
    """One record that breaks the law."""

    position: Place
    breach: Breach
    detail: str


@dataclass
class PartitionCounts:
    """What became of the records of one topic partition that were landed from some offset on, or of a stream's shard.

    Attributes:
        replayable: of those in quarantine, such as fit by the rules of today, but were judged by earlier ones.
        waiting: landed, or in the stream, but not read by the cleaning yet.
        next_offset: where an audit of later records begins.
    """

    landed: int = 0
    published: int = 0
    superseded: int = 0
    quarantined: int = 0
    replayable: int = 0
    waiting: int = 0
    next_offset: int = 0


@dataclass
class Findings(Generic[Part, Place]):
    """The outcome of an audit of one topic or stream: counts by partition or shard, and all that break the law."""

    partitions: dict[Part, PartitionCounts] = field(default_factory=dict)
    defects: list[Defect[Place]] = field(default_factory=list)

    def add(self, position: Place, breach: Breach, detail: str) -> None:
        """Name a record that breaks the law."""
        self.defects.append(Defect(position, breach, detail))

    def total(self, name: str) -> int:
        """A count over all partitions."""
        return sum(getattr(partition, name) for partition in self.partitions.values())

    def sentences(self) -> Iterator[str]:
        """A sentence for each defect, in the order of the records."""
        for position, breach, detail in sorted(self.defects):
            yield f"{position} is {breach}: {detail}"


TopicFindings = Findings[int, TopicPosition]
StreamFindings = Findings[str, StreamPosition]
