"""One-time batch runs on Databricks: submission, state, cancellation and result."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState, RunState, RunType, SubmitTask

from pin_pipeline.databricks.clusters import Clusters, entry_point
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.databricks.workspace import translate_errors

ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}
BATCH_ENTRY_POINT = "pin-pipeline-batch"

log = logging.getLogger(__name__)


class RunFailedError(WorkspaceError):
    """Raised when a run has ended without success.

    Attributes:
        url: page of the run.
        trace: traceback of the error; empty if the entry point never started.
        cancelled: whether the run was cancelled.
    """

    def __init__(self, message: str, url: str, trace: str, *, cancelled: bool) -> None:
        super().__init__(message)
        self.url, self.trace, self.cancelled = url, trace, cancelled


class RemoteRun:
    """A submitted run."""

    def __init__(self, workspace: WorkspaceClient, run_id: int) -> None:
        self.id = run_id
        self._workspace = workspace
        self._run = Run()

    @property
    def url(self) -> str:
        """The page of the run; empty before the first call of `is_active`."""
        return self._run.run_page_url or ""

    def is_active(self) -> bool:
        """Fetch the state of the run, and return whether it has not ended."""
        with self._translate_errors("get"):
            self._run = self._workspace.jobs.get_run(self.id)
        return _state(self._run).life_cycle_state not in ENDED

    def cancel(self) -> None:
        """Request the cancellation of the run."""
        with self._translate_errors("cancel"):
            self._workspace.jobs.cancel_run(self.id)

    def raise_for_failure(self) -> None:
        """Raise an error if the run, which must have ended, did not succeed.

        Raises:
            RunFailedError: the run failed or was cancelled.
        """
        state = _state(self._run)
        if state.result_state is RunResultState.SUCCESS:
            return
        error, trace = self._task_error()
        cancelled = state.result_state is RunResultState.CANCELED
        ended = "was cancelled" if cancelled else "failed"
        reason = error or state.state_message or state.result_state or state.life_cycle_state
        raise RunFailedError(
            f"Databricks run {self.id} {ended}: {reason}; see {self.url}", self.url, trace, cancelled=cancelled
        )

    def _task_error(self) -> tuple[str, str]:
        """Return the error of the task and its traceback, which the state of a run does not contain."""
        for task in self._run.tasks or ():
            try:
                with self._translate_errors("read the output of"):
                    output = self._workspace.jobs.get_run_output(task.run_id or self.id)
            except WorkspaceError as error:  # the error of the run must not be replaced by this one
                log.warning("%s", error)
            else:
                return output.error or "", output.error_trace or ""
        return "", ""

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        with translate_errors(self._workspace.config.host, f"{action} run {self.id}"):
            yield


def wait_for_active_runs(workspace: WorkspaceClient, bucket: str, poll_seconds: float) -> None:
    """Wait until no batch run on a lake is active: the run of a step that was killed continues without the step.

    Args:
        workspace: client of the workspace.
        bucket: bucket of the lake.
        poll_seconds: seconds between two checks.
    """
    waiting_for: set[int | None] = set()
    while True:
        with translate_errors(workspace.config.host, "list the active runs"):
            runs = list(workspace.jobs.list_runs(active_only=True, run_type=RunType.SUBMIT_RUN))
        active = [run for run in runs if run.run_name == run_name(bucket)]
        if not active:
            return
        for run in active:
            if run.run_id not in waiting_for:
                log.warning(
                    "Databricks run %s of an earlier step is still writing to the lake, waiting for it to end; "
                    "to stop waiting, cancel it: %s",
                    run.run_id,
                    run.run_page_url,
                )
        waiting_for |= {run.run_id for run in active}
        time.sleep(poll_seconds)


def run_name(bucket: str) -> str:
    """Return the name that all batch runs on a lake have in the workspace."""
    return f"pin_pipeline batch on s3://{bucket}"


@contextmanager
def batch_run(
    workspace: WorkspaceClient, clusters: Clusters, bucket: str, token: str, arguments: Mapping[str, str]
) -> Iterator[RemoteRun]:
    """Submit a batch run of the wheel; cancel it if the block raises an error or is interrupted.

    Args:
        workspace: client of the workspace.
        clusters: specification of the cluster.
        bucket: bucket of the lake.
        token: identifies the run, in at most 64 characters: submitting it again returns the same run.
        arguments: arguments of the entry point.
    """
    task = SubmitTask(
        task_key="batch",
        new_cluster=clusters.for_batch(),
        libraries=clusters.libraries(),
        python_wheel_task=entry_point(BATCH_ENTRY_POINT, *chain.from_iterable(arguments.items())),
    )
    with translate_errors(workspace.config.host, f"submit {token!r}"):
        submitted = workspace.jobs.submit(run_name=run_name(bucket), idempotency_token=token, tasks=[task])
    run = RemoteRun(workspace, submitted.run_id)
    try:
        run.is_active()
        yield run
    except BaseException:
        try:
            run.cancel()
        except WorkspaceError as error:
            log.warning("%s; the run may still be active", error)
        raise


def _state(run: Run) -> RunState:
    return run.state or RunState()
