"""Interface to the platform that runs the streaming jobs: local processes or Databricks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class JobStatus:
    """Status of a streaming job as reported by the platform that runs it.

    Attributes:
        since: when its process started (UTC); None when it is not running.
        log: path or URL of its log.
    """

    since: datetime | None
    log: str


class StreamingJobs(ABC):
    """Platform that runs the streaming jobs. Starting and stopping are idempotent."""

    @abstractmethod
    def start(self, name: str) -> bool:
        """Start a job unless it is running; return whether it was started. Does not wait until the job is ready."""

    @abstractmethod
    def stop(self, name: str) -> bool:
        """Stop a job; return whether it was running. An unfinished micro-batch is repeated after the next start."""

    @abstractmethod
    def status(self, name: str) -> JobStatus:
        """Return the status of a job. Raises any exception of the platform when the status cannot be read."""
