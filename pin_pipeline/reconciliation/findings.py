"""Findings of a reconciliation: counts that add up, and every discrepancy with the position of its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar


class DiscrepancyType(StrEnum):
    """Ways to break the reconciliation invariant: landed = published + superseded + quarantined, unmodified."""

    NOT_LANDED = "not landed"
    UNEXPECTED = "unexpected"
    DUPLICATED = "duplicated"
    MODIFIED = "modified"
    MISSING = "missing"
    MISCLASSIFIED = "misclassified"


DESCRIPTIONS: dict[DiscrepancyType, str] = {
    DiscrepancyType.NOT_LANDED: "On the topic, but not on S3, although later records are.",
    DiscrepancyType.UNEXPECTED: "On S3, in a table or in quarantine, but not at the origin that it names.",
    DiscrepancyType.DUPLICATED: "More than once on S3, in a table or in quarantine.",
    DiscrepancyType.MODIFIED: "Bytes or cells differ from those of the original record.",
    DiscrepancyType.MISSING: "On S3 and read, but neither published nor superseded nor in quarantine.",
    DiscrepancyType.MISCLASSIFIED: (
        "Quarantined under the current rules although it is valid or for another reason than theirs, or published "
        "although it is invalid."
    ),
}


class TopicPosition(NamedTuple):
    """Position of a record on its topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"partition {self.partition}, offset {self.offset}"


class StreamPosition(NamedTuple):
    """Position of a record in its stream."""

    shard: str
    sequence_number: int

    def __str__(self) -> str:
        return f"{self.shard}, sequence number {self.sequence_number}"


PartitionId = TypeVar("PartitionId", int, str)
Position = TypeVar("Position", TopicPosition, StreamPosition)


class Discrepancy(NamedTuple, Generic[Position]):
    """A record that breaks the reconciliation invariant."""

    position: Position
    type: DiscrepancyType
    detail: str


@dataclass
class PartitionCounts:
    """Counts of the records of one topic partition, from an offset on, or of one shard.

    Attributes:
        replayable: quarantined records that earlier rules rejected and the current rules accept.
        waiting: records that are landed, or in the stream, but not read by the cleaning yet.
        next_offset: offset at which a reconciliation of later records begins.
    """

    landed: int = 0
    published: int = 0
    superseded: int = 0
    quarantined: int = 0
    replayable: int = 0
    waiting: int = 0
    next_offset: int = 0


@dataclass
class Findings(Generic[PartitionId, Position]):
    """Outcome of the reconciliation of one topic or stream: counts by partition or shard, and all discrepancies."""

    partitions: dict[PartitionId, PartitionCounts] = field(default_factory=dict)
    discrepancies: list[Discrepancy[Position]] = field(default_factory=list)

    def add(self, position: Position, discrepancy_type: DiscrepancyType, detail: str) -> None:
        """Add a discrepancy."""
        self.discrepancies.append(Discrepancy(position, discrepancy_type, detail))

    def total(self, name: str) -> int:
        """Return the sum of a count over all partitions."""
        return sum(getattr(partition, name) for partition in self.partitions.values())

    def sentences(self) -> Iterator[str]:
        """Yield one sentence per discrepancy, in the order of the records."""
        for position, discrepancy_type, detail in sorted(self.discrepancies):
            yield f"{position} is {discrepancy_type}: {detail}"


TopicFindings = Findings[int, TopicPosition]
StreamFindings = Findings[str, StreamPosition]
