"""Micro-batches into Delta tables: what fits is published, the rest goes into quarantine, each record once.

Spark judges the records; the driver, which has fetched them from the stream anyway, commits them by delta-rs. That
takes a fifth of the time that Spark's own commit takes, and its commits are conditional puts: two writers that meet
never both make the same version, on any S3.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from deltalake.exceptions import CommitFailedError
from pyspark.sql import DataFrame

from pin_pipeline.quarantine.rejected_rows import misfits
from pin_pipeline.quarantine.schema import STREAM_QUARANTINE
from pin_pipeline.records import Column, RecordType
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.streaming.shard_progress import Batch, ShardProgress

# A commit a second leaves 86,400 versions and files a day: the log is summed up, and what is replaced is removed, soon.
STREAM_PROPERTIES = PROPERTIES | {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}
COMPACT_EVERY, VACUUM_EVERY = 50, 1000
COMPACTED_BYTES = 16 * 2**20
ATTEMPTS = 5

log = logging.getLogger(__name__)


class StreamTable:
    """A table that only one query appends to; another writer may compact it.

    Args:
        rows: which rows of judged records belong into it.
    """

    def __init__(
        self,
        lake: Lake,
        key: str,
        columns: Sequence[Column],
        stream: tuple[str, int],
        rows: Callable[[pa.Table], pa.Table],
    ) -> None:
        self._lake, self._key, self._stream, self._rows = lake, key, stream, rows
        lake.ensure(key, columns, STREAM_PROPERTIES, ShardProgress(*stream).metadata())
        self._open()

    @property
    def identity(self) -> str:
        """What tells it from a table that was there before, or comes after."""
        return str(self._delta.metadata().id)

    def append(self, classified: Batch, *, even_nothing: bool) -> None:
        """Append what it does not have yet, in one commit with how far it has come then.

        Args:
            even_nothing: commit also where no row belongs into it, so that the table tells that it has come so far.

        Raises:
            CommitFailedError: other writers were faster `ATTEMPTS` times in a row.
        """
        for attempt in range(1, ATTEMPTS + 1):
            missing = self._shard_progress.missing(classified)
            rows = self._rows(missing.records)
            if not missing.records.num_rows or not (rows.num_rows or even_nothing):
                return
            try:
                self._commit(rows, self._shard_progress.after(missing))
            except CommitFailedError:
                log.info("%s: another writer committed first, looking again", self._key)
                self._open()
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _open(self) -> None:
        table = self._lake.reopen(self._key)
        self._delta, self._shard_progress = table.delta, ShardProgress.of(table).on(*self._stream)

    def _commit(self, rows: pa.Table, shard_progress: ShardProgress) -> None:
        # Not rebased onto a version whose coverage nobody has looked at.
        commit = CommitProperties({"userMetadata": shard_progress.metadata()}, max_commit_retries=0)
        write_deltalake(self._delta, rows, mode="append", commit_properties=commit)
        self._shard_progress, version = shard_progress, self._delta.version()
        if version % COMPACT_EVERY == 0:
            self._delta.optimize.compact(target_size=COMPACTED_BYTES, commit_properties=commit)
            self._open()  # one that stays open keeps in memory what its log has long summed up
        if version % VACUUM_EVERY == 0:
            self._delta.vacuum(dry_run=False, commit_properties=commit)


class DeltaSink:
    """Takes the micro-batches of one kind; call it by `foreachBatch`."""

    def __init__(self, lake: Lake, record_type: RecordType, stream: tuple[str, int]) -> None:
        published = (*record_type.columns, *STREAM_POSITION)
        self._record_type = record_type
        self._published = StreamTable(lake, f"streams/{record_type.name}", published, stream, _fitting(published))
        self._quarantine = StreamTable(
            lake,
            f"quarantine/streams/{record_type.name}",
            STREAM_QUARANTINE,
            stream,
            _misfits(rules_version(record_type)),
        )

    @property
    def identity(self) -> str:
        """What tells its tables from others of the same names: a checkpoint belongs to them alone."""
        return f"{self._published.identity}-{self._quarantine.identity}"

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Judge and write a micro-batch, which has the columns of a stream's position, and `bytes`."""
        self.write(classify(self._record_type, batch, [column.name for column in STREAM_POSITION]).toArrow())

    def write(self, classified: pa.Table) -> None:
        """Write records that are judged, as `classify` gives them."""
        # Quarantine first: a table that says how far it has come must not be ahead of it.
        batch = Batch(classified)
        self._quarantine.append(batch, even_nothing=False)
        self._published.append(batch, even_nothing=True)


def _fitting(columns: Sequence[Column]) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in columns]
    return lambda classified: classified.filter(classified["rejection"].is_null()).select(names)


def _misfits(version: str) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in STREAM_QUARANTINE]

    def rows(classified: pa.Table) -> pa.Table:
        records = classified.filter(classified["rejection"].is_valid())
        return misfits(records, records["rejection"].combine_chunks(), version).select(names)

    return rows
