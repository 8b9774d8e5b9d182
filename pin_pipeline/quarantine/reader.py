"""Reader of the quarantine tables: counts of rejected records, and lookup of single records."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pin_pipeline.errors import PipelineError
from pin_pipeline.quarantine.schema import topic_quarantine_key
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import Reason
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress

RECORD_ID = re.compile(r"(?P<record_type>\w+)/(?P<partition>\d+|shardId-\d+)/(?P<position>\d+)", re.ASCII)

Rows = list[dict[str, Any]]


class QuarantineError(PipelineError):
    """Raised when a record is not in quarantine, or when its ID is invalid."""


@dataclass(frozen=True)
class RecordId:
    """ID of a quarantined record, written as `pin/0/17` or `pin/shardId-000000000000/4965`.

    Attributes:
        partition: partition of a topic, or ID of a shard.
        position: offset in the partition, or sequence number in the shard.
    """

    record_type: str
    partition: str
    position: str

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """Parse the ID of a record.

        Raises:
            QuarantineError: the text is not an ID.
        """
        match = RECORD_ID.fullmatch(text)
        if match is None or match["record_type"] not in RECORD_TYPES:
            raise QuarantineError(
                f"invalid record ID {text!r}: expected type/partition/offset, such as pin/0/17, or for a stream "
                "type/shard/sequence number, such as pin/shardId-000000000000/4965"
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"{self.record_type}/{self.partition}/{self.position}"


@dataclass(frozen=True)
class QuarantineSource:
    """Source of rejected records, and the columns of the quarantine table that identify a record.

    Attributes:
        partition: column with the partition or shard.
        position: column with the offset or sequence number.
        newest_first: SQL to sort by.
    """

    name: str
    partition: str
    position: str
    newest_first: str


TOPIC = QuarantineSource("topic", "source_partition", "source_offset", "source_offset desc, source_partition")
STREAM = QuarantineSource(
    "stream", "source_shard", "source_sequence_number", "arrived_at desc, source_sequence_number desc"
)


@dataclass(frozen=True)
class Quarantine:
    """Quarantine of one record type and source, in the version in which it was opened.

    Attributes:
        table: its table; None if it does not exist yet.
        condition: SQL condition for the rows in quarantine: during a replay, the table still contains rows that the
            replay has published already.
    """

    record_type: str
    source: QuarantineSource
    table: Snapshot | None
    condition: str = "true"

    @classmethod
    def of_topic(cls, lake: Lake, record_type: str) -> Quarantine:
        """Open the quarantine of a topic."""
        condition = CleaningProgress.of(lake.snapshot(f"cleaned/{record_type}")).in_quarantine
        return cls(record_type, TOPIC, lake.snapshot(topic_quarantine_key(record_type)), condition)

    @classmethod
    def of_stream(cls, lake: Lake, record_type: str) -> Quarantine:
        """Open the quarantine of a stream."""
        return cls(record_type, STREAM, lake.snapshot(f"quarantine/streams/{record_type}"))

    @classmethod
    def with_record(cls, lake: Lake, record: RecordId) -> Quarantine:
        """Open the quarantine that a record belongs to."""
        return (cls.of_topic if record.partition.isdecimal() else cls.of_stream)(lake, record.record_type)

    def identity(self, row: Mapping[str, Any]) -> RecordId:
        """Return the ID of a row's record."""
        return RecordId(self.record_type, str(row[self.source.partition]), str(row[self.source.position]))

    def records(self, reasons: Sequence[Reason], limit: int) -> Rows:
        """Return the rows rejected for one of the reasons, newest first."""
        values = ", ".join(f"'{reason}'" for reason in reasons)
        return self._select("*", f"and reason in ({values}) order by {self.source.newest_first} limit {limit}")

    def find(self, record: RecordId) -> dict[str, Any]:
        """Return the row of a record.

        Raises:
            QuarantineError: the record is not in quarantine.
        """
        source = self.source
        position = f"{source.partition} = '{record.partition}' and {source.position} = '{record.position}'"
        rows = self._select("*", f"and {position} order by {source.newest_first}")
        if not rows:
            raise QuarantineError(
                f"record {record} is not in quarantine; to list quarantined records, run `pin-pipeline quarantine list`"
            )
        return rows[0]

    def counts(self) -> Rows:
        """Return the number of records by day, record type, source and reason."""
        columns = (
            f"cast(first_seen as date) as day, '{self.record_type}' as kind, '{self.source.name}' as source, reason"
        )
        return self._select(f"{columns}, count(*) as records", "group by 1, 2, 3, 4")

    def count(self) -> int:
        """Return the number of records."""
        return sum(row["records"] for row in self.counts())

    def _select(self, columns: str, suffix: str) -> Rows:
        if self.table is None:
            return []
        sql = f"select {columns} from t where {self.condition} {suffix}"  # noqa: S608 - project-defined names and numbers
        rows: Rows = self.table.query(sql).to_pylist()
        return rows
