"""Parallel processing of several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from threading import Event

from pin_pipeline.errors import PipelineError
from pin_pipeline.reports import Report

MAX_PARALLEL_TABLES = 4
"""More tables than cores: a small table mostly waits for the round trips of its commit."""


_interrupted: ContextVar[Event | None] = ContextVar("interrupted", default=None)
"""Set when the run that the current task belongs to is interrupted."""


class InterruptedTaskError(PipelineError):
    """Raised in a task whose run was interrupted or canceled."""


def check_interrupted() -> None:
    """Stop the current task if its run was interrupted; for tasks that work long without an external request.

    Raises:
        InterruptedTaskError: the run was interrupted.
    """
    interrupted = _interrupted.get()
    if interrupted is not None and interrupted.is_set():
        raise InterruptedTaskError("the run was interrupted: rerun it, and it continues after the last committed batch")


def in_parallel(tasks: Sequence[Callable[[], Report]], cancel: Callable[[], None] = lambda: None) -> Iterator[Report]:
    """Run tasks in parallel, and yield their reports as they finish.

    If tasks fail, the first error is raised after all others have finished and their reports were yielded. If this
    thread is interrupted, tasks stop at their next call of `check_interrupted`, and no further one starts.

    Args:
        tasks: the tasks.
        cancel: ends the current work of all tasks, as far as that is possible; called if this thread is interrupted.
    """
    failure: BaseException | None = None
    interrupted = Event()

    def run(task: Callable[[], Report]) -> Report:
        _interrupted.set(interrupted)
        check_interrupted()
        return task()

    with ThreadPoolExecutor(MAX_PARALLEL_TABLES) as pool:
        try:
            for future in as_completed([pool.submit(run, task) for task in tasks]):
                error = future.exception()
                if error is None:
                    yield future.result()
                failure = failure or error
        except BaseException:
            interrupted.set()
            cancel()
            raise
    if failure is not None:
        raise failure
