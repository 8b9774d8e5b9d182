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

from pin_pipeline.lakehouse.classify import classify
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.tables import PROPERTIES
from pin_pipeline.lakehouse.version import rules_version
from pin_pipeline.records import Column, RecordKind
from pin_pipeline.records.positions import STREAM_POSITION, STREAM_QUARANTINE
from pin_pipeline.streams.coverage import Batch, Coverage
from pin_pipeline.streams.misfits import misfits

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
        lake.ensure(key, columns, STREAM_PROPERTIES, Coverage(*stream).metadata())
        self._open()

    @property
    def identity(self) -> str:
        """What tells it from a table that was there before, or comes after."""
        return str(self._delta.metadata().id)

    def append(self, judged: Batch, *, even_nothing: bool) -> None:
        """Append what it does not have yet, in one commit with how far it has come then.

        Args:
            even_nothing: commit also where no row belongs into it, so that the table tells that it has come so far.

        Raises:
            CommitFailedError: other writers were faster `ATTEMPTS` times in a row.
        """
        for attempt in range(1, ATTEMPTS + 1):
            missing = self._coverage.missing(judged)
            rows = self._rows(missing.records)
            if not missing.records.num_rows or not (rows.num_rows or even_nothing):
                return
            try:
                self._commit(rows, self._coverage.after(missing))
            except CommitFailedError:
                log.info("%s: another writer committed first, looking again", self._key)
                self._open()
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _open(self) -> None:
        table = self._lake.opened_anew(self._key)
        self._delta, self._coverage = table.delta, Coverage.of(table).on(*self._stream)

    def _commit(self, rows: pa.Table, coverage: Coverage) -> None:
        # Not rebased onto a version whose coverage nobody has looked at.
        commit = CommitProperties({"userMetadata": coverage.metadata()}, max_commit_retries=0)
        write_deltalake(self._delta, rows, mode="append", commit_properties=commit)
        self._coverage, version = coverage, self._delta.version()
        if version % COMPACT_EVERY == 0:
            self._delta.optimize.compact(target_size=COMPACTED_BYTES, commit_properties=commit)
            self._open()  # one that stays open keeps in memory what its log has long summed up
        if version % VACUUM_EVERY == 0:
            self._delta.vacuum(dry_run=False, commit_properties=commit)


class DeltaSink:
    """Takes the micro-batches of one kind; call it by `foreachBatch`."""

    def __init__(self, lake: Lake, kind: RecordKind, stream: tuple[str, int]) -> None:
        published = (*kind.columns, *STREAM_POSITION)
        self._kind = kind
        self._published = StreamTable(lake, f"streams/{kind.name}", published, stream, _fitting(published))
        self._quarantine = StreamTable(
            lake, f"quarantine/streams/{kind.name}", STREAM_QUARANTINE, stream, _misfits(rules_version(kind))
        )

    @property
    def identity(self) -> str:
        """What tells its tables from others of the same names: a checkpoint belongs to them alone."""
        return f"{self._published.identity}-{self._quarantine.identity}"

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Judge and write a micro-batch, which has the columns of a stream's position, and `bytes`."""
        self.write(classify(self._kind, batch, [column.name for column in STREAM_POSITION]).toArrow())

    def write(self, judged: pa.Table) -> None:
        """Write records that are judged, as `classify` gives them."""
        # Quarantine first: a table that says how far it has come must not be ahead of it.
        batch = Batch(judged)
        self._quarantine.append(batch, even_nothing=False)
        self._published.append(batch, even_nothing=True)


def _fitting(columns: Sequence[Column]) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in columns]
    return lambda judged: judged.filter(judged["problem"].is_null()).select(names)


def _misfits(version: str) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in STREAM_QUARANTINE]

    def rows(judged: pa.Table) -> pa.Table:
        records = judged.filter(judged["problem"].is_valid())
        return misfits(records, records["problem"].combine_chunks(), version).select(names)

    return rows
