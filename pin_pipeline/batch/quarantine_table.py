"""Quarantine of one topic: its key, its table and its number of records."""

from __future__ import annotations

from dataclasses import dataclass

from pin_pipeline.quarantine.schema import topic_quarantine_key
from pin_pipeline.records import RecordType
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress


@dataclass(frozen=True)
class QuarantineTable:
    """Quarantine of the records of one type."""

    lake: Lake
    record_type: RecordType

    @property
    def key(self) -> str:
        """Asset key of the table."""
        return topic_quarantine_key(self.record_type.name)

    def snapshot(self) -> Snapshot | None:
        """Return the current version of the table, or None if it does not exist."""
        return self.lake.snapshot(self.key)

    def has_rows(self) -> bool:
        """Return whether the table exists and is not empty."""
        table = self.snapshot()
        return table is not None and table.rows > 0

    def count(self, progress: CleaningProgress) -> int:
        """Count the quarantined records, without those that a replay has published by this progress."""
        table = self.snapshot()
        if table is None:
            return 0
        if progress.replayed is None:
            return table.rows
        counted = table.query(f"select count(*) as records from t where {progress.in_quarantine}")  # noqa: S608
        return int(counted["records"][0].as_py())
