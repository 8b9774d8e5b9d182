"""What is in quarantine, of topics and of streams: counted, and looked up by record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import Reason
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress

RECORD_ID = re.compile(r"(?P<record_type>\w+)/(?P<place>\d+|shardId-\d+)/(?P<number>\d+)", re.ASCII)

Rows = list[dict[str, Any]]


class QuarantineError(Exception):
    """A record is not in quarantine, or its name is none."""


@dataclass(frozen=True)
class RecordId:
    """A quarantined record by kind, partition and offset, or by kind, shard and sequence number.

    It is written `pin/0/17`, or `pin/shardId-000000000000/4965`.
    """

    record_type: str
    place: str
    number: str

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """The record that `text` names.

        Raises:
            QuarantineError: it names none.
        """
        match = RECORD_ID.fullmatch(text)
        if match is None or match["record_type"] not in RECORD_TYPES:
            raise QuarantineError(
                f"{text!r} names no record; expected kind/partition/offset, such as pin/0/17, or of a stream "
                "kind/shard/sequence number, such as pin/shardId-000000000000/4965"
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"{self.record_type}/{self.place}/{self.number}"


@dataclass(frozen=True)
class QuarantineSource:
    """Where records come from, and the columns that tell one from another, and which came last.

    Attributes:
        place: partition or shard.
        number: offset or sequence number in it.
        latest: SQL to sort by.
    """

    name: str
    place: str
    number: str
    latest: str


TOPIC = QuarantineSource("topic", "source_partition", "source_offset", "source_offset desc, source_partition")
STREAM = QuarantineSource(
    "stream", "source_shard", "source_sequence_number", "arrived_at desc, source_sequence_number desc"
)


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of a kind's topic or stream, as it stood when it was opened.

    Attributes:
        held: SQL for which rows of the table are in it; what a replay has published, but not removed yet, is not.
    """

    record_type: str
    source: QuarantineSource
    misfits: Snapshot | None
    held: str = "true"

    @classmethod
    def of_topic(cls, lake: Lake, record_type: str) -> Quarantine:
        """What did not fit of a topic."""
        held = CleaningProgress.of(lake.snapshot(f"cleaned/{record_type}")).in_quarantine
        return cls(record_type, TOPIC, lake.snapshot(f"quarantine/{record_type}"), held)

    @classmethod
    def of_stream(cls, lake: Lake, record_type: str) -> Quarantine:
        """What did not fit of a stream."""
        return cls(record_type, STREAM, lake.snapshot(f"quarantine/streams/{record_type}"))

    @classmethod
    def with_record(cls, lake: Lake, record: RecordId) -> Quarantine:
        """The one that a record would be in."""
        return (cls.of_topic if record.place.isdecimal() else cls.of_stream)(lake, record.record_type)

    def identity(self, row: Mapping[str, Any]) -> RecordId:
        """Which record a row is."""
        return RecordId(self.record_type, str(row[self.source.place]), str(row[self.source.number]))

    def records(self, reasons: Sequence[Reason], limit: int) -> Rows:
        """The rows with one of these reasons, the latest first."""
        listed = ", ".join(f"'{reason}'" for reason in reasons)
        return self._select("*", f"and reason in ({listed}) order by {self.source.latest} limit {limit}")

    def find(self, record: RecordId) -> dict[str, Any]:
        """The row of a record.

        Raises:
            QuarantineError: it is not in quarantine.
        """
        position = f"{self.source.place} = '{record.place}' and {self.source.number} = '{record.number}'"
        rows = self._select("*", f"and {position} order by {self.source.latest}")
        if not rows:
            raise QuarantineError(
                f"{record} is not in quarantine; `pin-pipeline quarantine list` lists the records that are"
            )
        return rows[0]

    def counts(self) -> Rows:
        """How many records there are by day and reason."""
        told = f"cast(first_seen as date) as day, '{self.record_type}' as kind, '{self.source.name}' as source, reason"
        return self._select(f"{told}, count(*) as records", "group by 1, 2, 3, 4")

    def count(self) -> int:
        """How many records there are."""
        return sum(row["records"] for row in self.counts())

    def _select(self, what: str, which: str) -> Rows:
        if self.misfits is None:
            return []
        sql = f"select {what} from t where {self.held} {which}"  # noqa: S608 - numbers and names of our own
        rows: Rows = self.misfits.query(sql).to_pylist()
        return rows
