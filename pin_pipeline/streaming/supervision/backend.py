"""How the streaming jobs are started, stopped and looked at, wherever they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class JobStatus:
    """How a job is, as far as what runs it knows.

    Attributes:
        since: when its process started (UTC); None where there is none.
        log: where to read what it says.
    """

    since: datetime | None
    log: str


class StreamingJobs(ABC):
    """Where the streaming jobs run. To start what runs and to stop what does not changes nothing."""

    @abstractmethod
    def start(self, name: str) -> bool:
        """Start a job unless it runs; says whether it was started. Returns before it is ready."""

    @abstractmethod
    def stop(self, name: str) -> bool:
        """Stop a job; says whether there was one. What it was at, it does again when it is started."""

    @abstractmethod
    def status(self, name: str) -> JobStatus:
        """How a job is. Raises what there is to raise where that cannot be found out."""
