"""Streaming jobs as detached local processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pin_pipeline.local.process import DetachedProcess
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs

COMMAND = (sys.executable, "-m", "pin_pipeline.local.streaming_process")


@dataclass(frozen=True)
class LocalStreamingJobs(StreamingJobs):
    """Streaming jobs that run locally, one process group per job.

    Attributes:
        home: folder of the local state.
        command: command line; the name of the job is appended.
    """

    home: Path
    command: Sequence[str] = COMMAND

    def start(self, name: str) -> bool:
        """Start a job unless it is running, without waiting until it is ready; returns whether it was started."""
        return self._process(name).launch([*self.command, name], {})

    def stop(self, name: str) -> bool:
        """Stop a job, with SIGKILL if SIGTERM does not stop it in time; returns whether it was running."""
        return self._process(name).stop()

    def status(self, name: str) -> JobStatus:
        """Return the start time of a job, if it is running, and the path of its log."""
        process = self._process(name)
        since = None
        if process.is_alive():
            since = datetime.now(UTC)
            with suppress(FileNotFoundError):  # the process is just being started
                since = datetime.fromtimestamp(process.pid_file.stat().st_mtime, UTC)
        return JobStatus(since, str(process.log))

    def _process(self, name: str) -> DetachedProcess:
        return DetachedProcess(self.home, name)
