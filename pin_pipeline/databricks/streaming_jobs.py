"""The streaming jobs as continuous jobs of a Databricks workspace: it keeps a run of each going until it is paused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import (
    BaseRun,
    Continuous,
    JobSettings,
    PauseStatus,
    RunLifeCycleState,
)

from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.databricks.workspace import asking
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs

WAITS = {RunLifeCycleState.PENDING, RunLifeCycleState.QUEUED, RunLifeCycleState.BLOCKED}


@dataclass(frozen=True)
class DatabricksStreamingJobs(StreamingJobs):
    """The continuous jobs of a workspace, called `{prefix}-{job}`.

    Raises:
        WorkspaceError: Databricks refuses or does not answer, or a job was never deployed.
    """

    workspace: WorkspaceClient
    prefix: str

    def start(self, name: str) -> bool:
        """Unpause a job unless it is; says whether it was paused. Returns before it has a run."""
        return self._turn(name, PauseStatus.UNPAUSED)

    def stop(self, name: str) -> bool:
        """Pause a job and cancel its run; says whether it was to run."""
        unpaused = self._turn(name, PauseStatus.PAUSED)
        with self._asking(f"cancel the runs of {name}"):
            self.workspace.jobs.cancel_all_runs(job_id=self._id_of(name))
        return unpaused

    def status(self, name: str) -> JobStatus:
        """How a job is. Its run counts from when its cluster was there: until then it is just being started."""
        job_id = self._id_of(name)
        run = self._active(job_id)
        if run is None:
            return JobStatus(None, f"{self.workspace.config.host}/jobs/{job_id}")
        return JobStatus(_since(run), run.run_page_url or "")

    def find(self, name: str) -> int | None:
        """The number of a job; None where there is none.

        Raises:
            WorkspaceError: there are several.
        """
        title = self.title(name)
        with self._asking(f"find the job {title}"):
            ids = [job.job_id for job in self.workspace.jobs.list(name=title)]
        if len(ids) > 1:
            raise WorkspaceError(
                f"there are {len(ids)} jobs {title} at {self.workspace.config.host}; delete all but one"
            )
        return ids[0] if ids else None

    def title(self, name: str) -> str:
        """What a job is called in the workspace."""
        return f"{self.prefix}-{name}"

    def _id_of(self, name: str) -> int:
        found = self.find(name)
        if found is None:
            where = f"{self.title(name)} at {self.workspace.config.host}"
            raise WorkspaceError(f"there is no job {where}; run `pin-pipeline deploy`")
        return found

    def _turn(self, name: str, wanted: PauseStatus) -> bool:
        job_id = self._id_of(name)
        with self._asking(f"pause or unpause {name}"):
            settings = self.workspace.jobs.get(job_id).settings or JobSettings()
            if settings.continuous and settings.continuous.pause_status is wanted:
                return False
            self.workspace.jobs.update(job_id, new_settings=JobSettings(continuous=Continuous(pause_status=wanted)))
        return True

    def _active(self, job_id: int) -> BaseRun | None:
        """The run of a job, where it has one that is not about to end."""
        with self._asking(f"look at the runs of job {job_id}"):
            for run in self.workspace.jobs.list_runs(job_id=job_id, active_only=True, expand_tasks=True):
                if run.state and run.state.life_cycle_state is not RunLifeCycleState.TERMINATING:
                    return run
        return None

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with asking(self.workspace.config.host, what):
            yield


def _since(run: BaseRun) -> datetime:
    if run.state is None or run.state.life_cycle_state in WAITS or not run.tasks:
        return datetime.now(UTC)
    [task] = run.tasks
    begun = datetime.fromtimestamp((task.start_time or 0) / 1000, UTC)
    return begun + timedelta(milliseconds=task.setup_duration or 0)
