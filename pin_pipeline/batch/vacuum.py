"""Vacuum: deletes the files that commits have replaced, after the retention of the table, by default one week."""

from __future__ import annotations

import logging

from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake

VACUUM_EVERY = 10
"""Number of commits between two vacuums of a table.

Each commit of a daily batch rewrites at most the files that it changes, so that a table and its replaced files take at
most 17 times the size of the table: those of 10 commits, and of the daily batches of one week.
"""

log = logging.getLogger(__name__)


def vacuum_if_due(lake: Lake, before: Snapshot | None, after: Snapshot | None) -> None:
    """Delete replaced files if the table has passed a multiple of `VACUUM_EVERY` commits.

    Args:
        lake: location of the table.
        before: the table before the commits of this run; None if it did not exist.
        after: the table after them; None if it still does not exist.
    """
    if after is not None and _vacuums(after) > _vacuums(before):
        deleted = lake.vacuum(after.key)
        log.info("%s: deleted %d files that no version of the last week needs", after.key, deleted)


def _vacuums(table: Snapshot | None) -> int:
    """Return the number of vacuums that were due up to a version."""
    return 0 if table is None else table.version // VACUUM_EVERY
