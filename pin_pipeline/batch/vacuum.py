"""Vacuum: deletes the files that commits have replaced, after the retention of the table, by default one week."""

from __future__ import annotations

import logging

from pin_pipeline.storage.lake import Lake

VACUUM_EVERY = 10
"""Number of commits between two vacuums of a table.

Each commit of a daily batch rewrites at most the files that it changes, so that a table and its replaced files take at
most 17 times the size of the table: those of 10 commits, and of the daily batches of one week.
"""

log = logging.getLogger(__name__)


def vacuum_if_due(lake: Lake, key: str, version_before: int) -> None:
    """Delete replaced files if the table has passed a multiple of `VACUUM_EVERY` commits.

    Args:
        lake: location of the table.
        key: asset key of the table.
        version_before: version of the table before the commits of this run; -1 if it did not exist.
    """
    table = lake.snapshot(key)
    if table is not None and table.version // VACUUM_EVERY > max(version_before, 0) // VACUUM_EVERY:
        deleted = lake.vacuum(key)
        log.info("%s: deleted %d files that no version of the last week needs", key, deleted)
