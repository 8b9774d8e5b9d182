"""Streaming jobs as continuous jobs of a Databricks workspace, which restarts each run until the job is paused."""

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
from pin_pipeline.databricks.workspace import connect, translate_errors
from pin_pipeline.settings import DatabricksSettings, Settings
from pin_pipeline.streaming.supervision.backend import JobStatus, StreamingJobs

TIMEOUT_SECONDS = 20
WAITING = {RunLifeCycleState.PENDING, RunLifeCycleState.QUEUED, RunLifeCycleState.BLOCKED}


@dataclass(frozen=True)
class DatabricksStreamingJobs(StreamingJobs):
    """Continuous jobs of a workspace, named `{prefix}-{job}`.

    Every method raises WorkspaceError if Databricks refuses or does not respond, or if the job is not deployed.
    """

    workspace: WorkspaceClient
    prefix: str

    @classmethod
    def of(cls, settings: Settings, databricks: DatabricksSettings) -> DatabricksStreamingJobs:
        """Return the jobs in the workspace that the settings name."""
        return cls(connect(databricks, TIMEOUT_SECONDS), settings.prefix)

    def start(self, name: str) -> bool:
        """Unpause a job, without waiting for its run; returns whether it was paused."""
        return self._set_pause_status(name, PauseStatus.UNPAUSED)

    def stop(self, name: str) -> bool:
        """Pause a job and cancel its run; returns whether it was unpaused."""
        unpaused = self._set_pause_status(name, PauseStatus.PAUSED)
        with self._translate_errors(f"cancel the runs of {name}"):
            self.workspace.jobs.cancel_all_runs(job_id=self._id_of(name))
        return unpaused

    def status(self, name: str) -> JobStatus:
        """Return since when the cluster of the job's run has been ready, and the URL of the run.

        Until the cluster is ready, `since` is the current time.
        """
        job_id = self._id_of(name)
        run = self._active_run(job_id)
        if run is None:
            return JobStatus(None, f"{self.workspace.config.host}/jobs/{job_id}")
        return JobStatus(_since(run), run.run_page_url or "")

    def find(self, name: str) -> int | None:
        """Return the id of a job; None if it is not deployed.

        Raises:
            WorkspaceError: several jobs have its name.
        """
        title = self.title(name)
        with self._translate_errors(f"find the job {title}"):
            ids = [job.job_id for job in self.workspace.jobs.list(name=title)]
        if len(ids) > 1:
            raise WorkspaceError(
                f"{len(ids)} jobs are named {title} at {self.workspace.config.host}: delete all but one"
            )
        return ids[0] if ids else None

    def title(self, name: str) -> str:
        """Return the name of a job in the workspace."""
        return f"{self.prefix}-{name}"

    def _id_of(self, name: str) -> int:
        found = self.find(name)
        if found is None:
            raise WorkspaceError(
                f"job {self.title(name)} does not exist at {self.workspace.config.host}: run `pin-pipeline deploy`"
            )
        return found

    def _set_pause_status(self, name: str, pause_status: PauseStatus) -> bool:
        job_id = self._id_of(name)
        with self._translate_errors(f"pause or unpause {name}"):
            settings = self.workspace.jobs.get(job_id).settings or JobSettings()
            if settings.continuous and settings.continuous.pause_status is pause_status:
                return False
            self.workspace.jobs.update(
                job_id, new_settings=JobSettings(continuous=Continuous(pause_status=pause_status))
            )
        return True

    def _active_run(self, job_id: int) -> BaseRun | None:
        """Return the active run of a job, if any; a run that is terminating does not count."""
        with self._translate_errors(f"list the runs of job {job_id}"):
            for run in self.workspace.jobs.list_runs(job_id=job_id, active_only=True, expand_tasks=True):
                if run.state and run.state.life_cycle_state is not RunLifeCycleState.TERMINATING:
                    return run
        return None

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        with translate_errors(self.workspace.config.host, action):
            yield


def _since(run: BaseRun) -> datetime:
    if run.state is None or run.state.life_cycle_state in WAITING or not run.tasks:
        return datetime.now(UTC)
    [task] = run.tasks
    started = datetime.fromtimestamp((task.start_time or 0) / 1000, UTC)
    return started + timedelta(milliseconds=task.setup_duration or 0)
