"""The streaming jobs as detached processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pin_pipeline.local.process import DetachedProcess
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs

COMMAND = (sys.executable, "-m", "pin_pipeline.streaming.job")


@dataclass(frozen=True)
class LocalStreamingJobs(StreamingJobs):
    """A process group a job.

    Attributes:
        home: the folder of the local state.
        command: what is run, with the name of a job behind it.
    """

    home: Path
    command: Sequence[str] = COMMAND

    def start(self, name: str) -> bool:
        """Start a job unless it runs; says whether it was started. Returns before it is ready."""
        return self._process(name).launch([*self.command, name], {})

    def stop(self, name: str) -> bool:
        """Stop a job, the hard way where it does not stop within seconds; says whether there was one."""
        return self._process(name).stop()

    def status(self, name: str) -> JobStatus:
        """How a job is."""
        process = self._process(name)
        since = None
        if process.alive():
            since = datetime.now(UTC)
            with suppress(FileNotFoundError):  # it is just being started
                since = datetime.fromtimestamp(process.pid_file.stat().st_mtime, UTC)
        return JobStatus(since, str(process.log))

    def _process(self, name: str) -> DetachedProcess:
        return DetachedProcess(self.home, name)
