"""Refresh of the progress of a cleaned table that other writers maintain.

Log cleanup removes old commits, and with the pipeline's last one its progress. If nothing has landed for long while
others compact the table, the progress is therefore committed again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from pin_pipeline.storage.delta_commits import commit_properties, require_next_batch
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline.storage.protocol import UnsupportedProtocolError, check_protocol

MAX_AGE = timedelta(days=7)
"""Age at which progress is committed again. By default, Delta keeps its log for 30 days."""

MAX_FOREIGN_COMMITS = 100
"""Commits of other writers after which progress is committed again. Each costs a request when progress is read."""


def refresh_progress(lake: Lake, table: Snapshot) -> Snapshot:
    """Commit the progress of a cleaned table again if many or old commits of other writers follow it.

    Returns:
        The current snapshot of the table.
    """
    last = table.last_commit
    foreign = table.version - last.version
    if not foreign or (foreign <= MAX_FOREIGN_COMMITS and datetime.now(UTC) - last.at <= MAX_AGE):
        return table
    current = lake.load(table.key)
    committed = CleaningProgress.of(current)
    progress = replace(committed, batch=committed.batch + 1)
    try:
        check_protocol(current)
        require_next_batch(current, committed.batch, progress.batch)
        no_rows = pa.schema(current.delta.schema()).empty_table()
        properties = commit_properties(progress.metadata(), progress.batch)
        write_deltalake(current.delta, no_rows, mode="append", commit_properties=properties)
    except (CommitFailedError, UnsupportedProtocolError):
        return table  # another run has committed, or only Spark can
    return lake.require(table.key)
