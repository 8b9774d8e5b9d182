"""What is in quarantine: counted, and looked up by record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.snapshot import Snapshot
from pin_pipeline.records import KINDS
from pin_pipeline.records.reasons import Reason

RECORD_ID = re.compile(r"(?P<kind>\w+)/(?P<partition>\d+)/(?P<offset>\d+)", re.ASCII)

Rows = list[dict[str, Any]]


class QuarantineError(Exception):
    """A record is not in quarantine, or its name is none."""


@dataclass(frozen=True)
class RecordId:
    """A quarantined record by kind, partition and offset; written `pin/0/17`."""

    kind: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """The record that `text` names.

        Raises:
            QuarantineError: it names none.
        """
        match = RECORD_ID.fullmatch(text)
        if match is None or match["kind"] not in KINDS:
            raise QuarantineError(f"{text!r} names no record; expected kind/partition/offset, such as pin/0/17")
        return cls(match["kind"], int(match["partition"]), int(match["offset"]))

    def __str__(self) -> str:
        return f"{self.kind}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of a kind, as it stood when it was opened."""

    kind: str
    cleaned: Snapshot | None
    misfits: Snapshot | None

    @classmethod
    def of(cls, lake: Lake, kind: str) -> Quarantine:
        """The quarantine of now."""
        return cls(kind, lake.snapshot(f"cleaned/{kind}"), lake.snapshot(f"quarantine/{kind}"))

    def records(self, reasons: Sequence[Reason], limit: int) -> Rows:
        """The rows with one of these reasons, the latest first."""
        listed = ", ".join(f"'{reason}'" for reason in reasons)
        which = f"and reason in ({listed}) order by source_offset desc, source_partition limit {limit}"
        return self._select("*", which)

    def find(self, record: RecordId) -> dict[str, Any]:
        """The row of a record.

        Raises:
            QuarantineError: it is not in quarantine.
        """
        rows = self._select("*", f"and source_partition = {record.partition} and source_offset = {record.offset}")
        if not rows:
            raise QuarantineError(
                f"{record} is not in quarantine; `pin-pipeline quarantine list` lists the records that are"
            )
        return rows[0]

    def counts(self) -> Rows:
        """How many records there are by day and reason."""
        what = f"cast(first_seen as date) as day, '{self.kind}' as kind, reason, count(*) as records"
        return self._select(what, "group by 1, 2, 3")

    def count(self) -> int:
        """How many records there are."""
        return sum(row["records"] for row in self.counts())

    def _select(self, what: str, which: str) -> Rows:
        """Of the records that are in it; what a replay has published, but not removed yet, is not."""
        if self.misfits is None:
            return []
        held = Progress.of(self.cleaned).in_quarantine
        sql = f"select {what} from t where {held} {which}"  # noqa: S608 - numbers and names of our own
        rows: Rows = self.misfits.query(sql).to_pylist()
        return rows
