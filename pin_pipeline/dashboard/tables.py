"""Progress of the Delta tables of the streams, from the metadata of their last commits; no row is read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from deltalake.exceptions import DeltaError

from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_snapshot import Snapshot, UnknownProgressError
from pin_pipeline.storage.lake import Lake, NoSuchTableError
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.shard_progress import ShardProgress

KEYS = STREAMING_JOBS["kinesis_to_delta"].tables
TIMEOUTS = {"connect_timeout": "2s", "timeout": "5s", "max_retries": "1", "retry_timeout": "5s"}
"""Short, because a user is waiting and the page polls again anyway."""
ERRORS = (OSError, DeltaError, ValueError, UnknownProgressError)


@dataclass(frozen=True)
class TableProgress:
    """Progress of a table as of its last commit.

    Attributes:
        records: number of records read from the stream; `quarantined` of them were rejected.
        lag_seconds: time from the arrival of the commit's oldest record to the commit; None before the first record.
    """

    records: int
    quarantined: int
    committed: datetime
    lag_seconds: float | None


class TableReader:
    """Reader of the tables of the streams. It keeps them open, so that it reads new commits only."""

    def __init__(self, settings: Settings) -> None:
        self._lake = replace(Lake.of(settings), options=TIMEOUTS)
        self._opened: dict[str, Snapshot] = {}

    def read(self) -> Mapping[str, TableProgress | None]:
        """Return the current progress by asset key; None if a table does not exist yet.

        Raises:
            LakeError: the lake does not respond, or a table cannot be read.
        """
        return {key: self._read_table(key) for key in KEYS}

    def _read_table(self, key: str) -> TableProgress | None:
        opened = self._opened.pop(key, None)
        # A table that was deleted or recreated is loaded again.
        with suppress(*ERRORS):
            if opened and opened.log.has_version(opened.version):
                opened.delta.update_incremental()
                return self._keep_open(replace(opened, log=replace(opened.log)))  # a new log caches no old commits
        try:
            return self._keep_open(self._lake.load(key))
        except NoSuchTableError:
            return None
        except ERRORS as error:
            raise self._lake.unreadable(key, error) from error

    def _keep_open(self, table: Snapshot) -> TableProgress:
        progress, committed = ShardProgress.of(table), table.last_commit.at
        self._opened[table.key] = table
        return TableProgress(progress.records, progress.quarantined, committed, progress.lag(committed))
