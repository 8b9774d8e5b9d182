"""Commits to Delta tables: their properties for delta-rs, and their metrics by either writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from pin_pipeline.errors import PipelineError
from pin_pipeline.storage.delta_snapshot import Commit, Snapshot

APPLICATION = "pin_pipeline"
"""Application ID under which a commit stores its batch number; the same number is not committed twice."""

NEW_ROWS = {
    "WRITE": ("numOutputRows", "num_added_rows"),
    "MERGE": ("numTargetRowsInserted", "num_target_rows_inserted"),
}
"""Metric of an operation that counts the rows it adds, as named by Spark and by delta-rs."""
CREATE = "CREATE TABLE"


class CommitMetricsError(PipelineError):
    """Raised when the metrics of a commit lack the number of rows that it added."""


def new_rows(commit: Commit) -> int:
    """Return the number of rows that a commit added; rows that it changed or copied do not count.

    Raises:
        CommitMetricsError: the operation is not one of the pipeline's, or it has no such metric.
    """
    if commit.operation == CREATE:
        return 0
    metrics: Mapping[str, Any] = commit.metrics
    for name in NEW_ROWS.get(commit.operation, ()):
        if name in metrics:
            return int(metrics[name])
    raise CommitMetricsError(
        f"could not read the number of new rows of the {commit.operation!r} commit at {commit.at}: expected "
        f"{CREATE}, or {' or '.join(NEW_ROWS)} with metrics, found the metrics {sorted(metrics)}; rebuild the table"
    )


def commit_properties(metadata: str | None = None, batch: int | None = None) -> CommitProperties:
    """Return the properties of a commit on exactly the version that was read: another commit makes it fail.

    Args:
        metadata: user metadata, as JSON; None for a commit that is not one of the pipeline's progress.
        batch: number of the batch; see `require_next_batch`.
    """
    return CommitProperties(
        custom_metadata=None if metadata is None else {"userMetadata": metadata},
        # A retry would rebase the commit onto a version whose progress was not read.
        max_commit_retries=0,
        app_transactions=None if batch is None else [Transaction(APPLICATION, batch)],
    )


def require_next_batch(table: Snapshot, committed: int, batch: int) -> None:
    """Require that a batch is the next one of a table; delta-rs itself commits a batch number twice.

    Args:
        table: the version to commit on.
        committed: number of the last batch by the progress of that version.
        batch: number of the batch to commit.

    Raises:
        CommitFailedError: another run has committed this batch.
    """
    stored = table.delta.transaction_version(APPLICATION)
    if committed != batch - 1 or (stored is not None and stored >= batch):
        raise CommitFailedError(
            f"could not commit batch {batch} to {table.delta.table_uri}: expected batch {batch - 1} in version "
            f"{table.version}, found {committed} in its progress and {stored} in its transactions; rerun"
        )
