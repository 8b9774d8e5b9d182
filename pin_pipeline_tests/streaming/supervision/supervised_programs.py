"""Supervisor of small local programs, which take the place of streaming jobs, and faults to inject into them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pin_pipeline.defs.resources.interfaces import StreamingJobsResource
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats, QueryProgress
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.streaming.supervision.programs import LIVES, local_jobs, pid_of
from pin_pipeline_tests.streaming.supervision.supervisor import Supervisor


class ProgramsResource(StreamingJobsResource):
    """Platform that runs small programs in place of streaming jobs."""

    home: str
    command: list[str]
    unreadable: list[str]

    def jobs(self) -> StreamingJobs:
        if self.unreadable:
            return PartlyUnreadableJobs(self.unreadable, local_jobs(Path(self.home)))
        return local_jobs(Path(self.home), tuple(self.command))


@dataclass
class PartlyUnreadableJobs(StreamingJobs):
    """Platform that cannot report the status of some jobs."""

    names: list[str]
    others: StreamingJobs

    def start(self, name: str) -> bool:
        return self.others.start(name)

    def stop(self, name: str) -> bool:
        return self.others.stop(name)

    def status(self, name: str) -> JobStatus:
        if name in self.names:
            raise TimeoutError("throttled")
        return self.others.status(name)


@dataclass
class SupervisedPrograms(Supervisor):
    """Supervisor of local programs.

    Attributes:
        home: folder of their PID files and logs.
        command: program that is started for each job.
        unreadable: jobs whose status cannot be read.
    """

    home: Path
    command: tuple[str, ...] = LIVES
    unreadable: list[str] = field(default_factory=list)

    def streaming_jobs(self) -> StreamingJobsResource:
        return ProgramsResource(home=str(self.home), command=[*self.command], unreadable=self.unreadable)

    def heartbeat(self, job: str, *, age: float = 0, failure: str | None = None, **progress: Any) -> None:
        """Write a heartbeat of a job."""
        at = datetime.now(UTC) - timedelta(seconds=age)
        query = replace(QueryProgress(at, batch=1, lag_seconds=0.5), **progress)
        queries = dict.fromkeys(STREAMING_JOBS[job].tables, query)
        Heartbeats.of(self.settings).write(Heartbeat(job, at, at, queries, failure))

    def kill(self, job: str) -> None:
        os.kill(pid_of(self.home, job), signal.SIGKILL)
        wait_until(lambda: not self.alive(job))

    def alive(self, job: str) -> bool:
        return local_jobs(self.home).status(job).since is not None

    def set_age(self, job: str, seconds: float) -> None:
        """Make a job look as if it was started the given number of seconds ago."""
        os.utime(self.home / f"{job}.pid", (time.time() - seconds,) * 2)
