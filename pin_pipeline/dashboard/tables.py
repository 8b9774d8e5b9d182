"""How far the Delta tables of the streams have come, by what their last commits say; no row is read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from deltalake.exceptions import DeltaError, TableNotFoundError

from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.shard_progress import ShardProgress

KEYS = STREAMING_JOBS["kinesis_to_delta"].tables
# Who looks at a page does not wait for long; it is asked again anyway.
IMPATIENT = {"connect_timeout": "2s", "timeout": "5s", "max_retries": "1", "retry_timeout": "5s"}
FAILURES = (OSError, DeltaError, ValueError)


class LakeError(Exception):
    """The lake cannot be read; says what was tried, where, and what to do."""


@dataclass(frozen=True)
class TableProgress:
    """What a table's last commit says.

    Attributes:
        records: how many came by the stream; `quarantined` of them did not fit.
        lag_seconds: how long the oldest record of the commit was on its way; None before the first record.
    """

    records: int
    quarantined: int
    committed: datetime
    lag_seconds: float | None


class TableReader:
    """The tables of the streams. They are kept open, so that only the commits since the last look are read."""

    def __init__(self, settings: Settings) -> None:
        self._lake = replace(Lake.of(settings), options=IMPATIENT)
        self._opened: dict[str, Snapshot] = {}

    def look(self) -> Mapping[str, TableProgress | None]:
        """How far each has come by now, None where there is no table yet.

        Raises:
            LakeError: the lake does not answer, or what is there cannot be read.
        """
        return {key: self._progress(key) for key in KEYS}

    def _progress(self, key: str) -> TableProgress | None:
        opened = self._opened.pop(key, None)
        # One that is gone, or was made anew, is opened again.
        with suppress(*FAILURES):
            if opened and opened.log.has(opened.version):
                opened.delta.update_incremental()
                return self._remember(replace(opened, log=replace(opened.log)))  # no old commits
        try:
            return self._remember(self._lake.reopen(key))
        except TableNotFoundError:
            return None
        except FAILURES as error:
            raise LakeError(
                f"The lake does not answer: {self._lake.path(key)} by {self._lake.endpoint_url} cannot be read: "
                f"{_last_line(error)}; is it up? (`pin-pipeline status`; elsewhere, see PIN_S3_ENDPOINT_URL)"
            ) from error

    def _remember(self, table: Snapshot) -> TableProgress:
        shard_progress, committed = ShardProgress.of(table), table.last_commit.at
        self._opened[table.key] = table
        return TableProgress(
            shard_progress.records, shard_progress.quarantined, committed, shard_progress.lag(committed)
        )


def _last_line(error: Exception) -> str:
    # The causes stand below each other, the first one last, each behind an arrow in colour.
    *_, last = str(error).strip().splitlines() or [repr(error)]
    return last.rpartition("\x1b[0m")[2].strip()
