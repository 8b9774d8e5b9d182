"""Delta table that a streaming query appends to, with its progress in the same commit as the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from pin_pipeline.records import Column
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.streaming.shard_progress import ClassifiedBatch, ShardProgress

STREAM_PROPERTIES = PROPERTIES | {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}
"""Short retention, because one commit per second creates 86,400 versions and files per day."""
COMPACT_EVERY, VACUUM_EVERY = 50, 1000
"""Number of commits between compactions, and between removals of the files that compaction replaced."""
COMPACTED_BYTES = 16 * 2**20
MAX_ATTEMPTS = 5

log = logging.getLogger(__name__)


class StreamTable:
    """Delta table with a single appending query; other writers may compact it.

    Args:
        lake: lake that contains the table; the table is created if missing.
        key: asset key of the table.
        columns: columns of the table.
        stream: name and creation time of the stream, as in `ShardProgress`.
        select_rows: returns the rows of the table for classified records.
    """

    def __init__(
        self,
        lake: Lake,
        key: str,
        columns: Sequence[Column],
        stream: tuple[str, int],
        select_rows: Callable[[pa.Table], pa.Table],
    ) -> None:
        self._lake, self._key, self._stream, self._select_rows = lake, key, stream, select_rows
        lake.ensure_table(key, columns, STREAM_PROPERTIES, ShardProgress(*stream).metadata())
        self._reload()

    @property
    def identity(self) -> str:
        """ID of the Delta table; a table that is deleted and recreated has another one."""
        return str(self._delta.metadata().id)

    def append(self, batch: ClassifiedBatch, *, commit_empty: bool) -> None:
        """Append the rows of unprocessed records and advance the progress, in one commit.

        Args:
            batch: classified records; those that the table already contains are skipped.
            commit_empty: whether to advance the progress even if no record has a row in this table.

        Raises:
            CommitFailedError: other writers committed first in `MAX_ATTEMPTS` consecutive attempts.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            unprocessed = self._progress.unprocessed(batch)
            rows = self._select_rows(unprocessed.records)
            if not unprocessed.records.num_rows or not (rows.num_rows or commit_empty):
                return
            try:
                self._commit(rows, self._progress.after(unprocessed))
            except CommitFailedError:
                log.info("%s: another writer committed first; reloading the table", self._key)
                self._reload()
                if attempt == MAX_ATTEMPTS:
                    raise
            else:
                return

    def _reload(self) -> None:
        table = self._lake.load(self._key)
        self._delta, self._progress = table.delta, ShardProgress.of(table).for_stream(*self._stream)

    def _commit(self, rows: pa.Table, progress: ShardProgress) -> None:
        # Without retries: delta-rs would rebase the commit onto a version whose progress was not read.
        commit = CommitProperties({"userMetadata": progress.metadata()}, max_commit_retries=0)
        # Merged schemas: columns that another writer has added are null in the new rows.
        write_deltalake(self._delta, rows, mode="append", schema_mode="merge", commit_properties=commit)
        self._progress, version = progress, self._delta.version()
        if version % COMPACT_EVERY == 0:
            self._delta.optimize.compact(target_size=COMPACTED_BYTES, commit_properties=commit)
            self._reload()  # an open table keeps the log entries that a checkpoint has replaced in memory
        if version % VACUUM_EVERY == 0:
            # A vacuum that is not full misses the files that were replaced before the last checkpoint.
            self._delta.vacuum(dry_run=False, full=True, commit_properties=commit)
