"""One-time runs on Databricks: submitted, looked at, cancelled, and what became of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState, RunState, SubmitTask

from pin_pipeline.databricks.clusters import Clusters, entry_point
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.databricks.workspace import asking

ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}
BATCH = "pin-pipeline-batch"

log = logging.getLogger(__name__)


class RunFailedError(WorkspaceError):
    """A run ended, and not well.

    Attributes:
        url: where Databricks shows it.
        trace: the traceback of what failed in it, empty where nothing of ours ran.
        cancelled: somebody wanted it so.
    """

    def __init__(self, message: str, url: str, trace: str, *, cancelled: bool) -> None:
        super().__init__(message)
        self.url, self.trace, self.cancelled = url, trace, cancelled


class RemoteRun:
    """A run that was submitted."""

    def __init__(self, workspace: WorkspaceClient, run_id: int) -> None:
        self.id = run_id
        self._workspace = workspace
        self._run = Run()

    @property
    def url(self) -> str:
        """Where Databricks shows it, once it was looked at."""
        return self._run.run_page_url or ""

    def is_active(self) -> bool:
        """Look whether it is still under way."""
        with self._asking("look at"):
            self._run = self._workspace.jobs.get_run(self.id)
        return _state(self._run).life_cycle_state not in ENDED

    def cancel(self) -> None:
        """Have it end now."""
        with self._asking("cancel"):
            self._workspace.jobs.cancel_run(self.id)

    def raise_for_failure(self) -> None:
        """Say what went wrong with a run that has ended.

        Raises:
            RunFailedError: it did not succeed.
        """
        state = _state(self._run)
        if state.result_state is RunResultState.SUCCESS:
            return
        error, trace = self._last_words()
        cancelled = state.result_state is RunResultState.CANCELED
        ended = "was cancelled" if cancelled else "failed"
        said = error or state.state_message or state.result_state or state.life_cycle_state
        raise RunFailedError(
            f"Databricks run {self.id} {ended}: {said}; see {self.url}", self.url, trace, cancelled=cancelled
        )

    def _last_words(self) -> tuple[str, str]:
        """The error of the task and its traceback; the state of a run only says that there is one."""
        for task in self._run.tasks or ():
            try:
                with self._asking("read the output of"):
                    output = self._workspace.jobs.get_run_output(task.run_id or self.id)
            except WorkspaceError as error:  # what we know already is worth more
                log.warning("%s", error)
            else:
                return output.error or "", output.error_trace or ""
        return "", ""

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with asking(self._workspace.config.host, f"{what} run {self.id}"):
            yield


@contextmanager
def batch_run(
    workspace: WorkspaceClient, clusters: Clusters, name: str, arguments: Mapping[str, str]
) -> Iterator[RemoteRun]:
    """Submit a batch run of the wheel. Where the block is left by an error or an interrupt, the run is cancelled.

    Args:
        name: tells the run from all others, in 64 characters: submitted once more, it is the same run.
        arguments: of the entry point.
    """
    task = SubmitTask(
        task_key="batch",
        new_cluster=clusters.for_batch(),
        libraries=clusters.libraries(),
        python_wheel_task=entry_point(BATCH, *chain.from_iterable(arguments.items())),
    )
    with asking(workspace.config.host, f"submit {name!r}"):
        submitted = workspace.jobs.submit(run_name=f"pin_pipeline {name}", idempotency_token=name, tasks=[task])
    run = RemoteRun(workspace, submitted.run_id)
    try:
        run.is_active()
        yield run
    except BaseException:
        try:
            run.cancel()
        except WorkspaceError as error:
            log.warning("%s; it may go on", error)
        raise


def _state(run: Run) -> RunState:
    return run.state or RunState()
