"""Where the streaming jobs run: detached processes on a laptop."""

from abc import ABC, abstractmethod
from pathlib import Path

import dagster as dg
from pydantic import Field

from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.streaming.supervision.backend import StreamingJobs


class StreamingJobsResource(dg.ConfigurableResource["StreamingJobsResource"], ABC):
    """Starts, stops and looks at the streaming jobs."""

    @abstractmethod
    def jobs(self) -> StreamingJobs:
        """The streaming jobs."""


class LocalStreamingJobsResource(StreamingJobsResource):
    """The streaming jobs as processes of this machine, which outlive runs and the UI."""

    home: str = Field(description="Folder of the local state; holds their logs and locks.")

    def jobs(self) -> StreamingJobs:
        """The streaming jobs."""
        return LocalStreamingJobs(Path(self.home))
