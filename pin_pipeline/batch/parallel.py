"""Parallel processing of several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextvars import ContextVar
from threading import Event
from typing import TypeVar

from pin_pipeline.errors import PipelineError

Result = TypeVar("Result")

MAX_PARALLEL_TABLES = 4
"""More tables than cores: a small table mostly waits for the round trips of its commit."""

SECONDS_BETWEEN_CANCELLATIONS = 0.5
"""A task may begin further work between its check for an interrupt and a cancellation."""


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


def in_parallel(tasks: Sequence[Callable[[], Result]], cancel: Callable[[], None]) -> Iterator[Result]:
    """Run tasks in parallel, and yield their results as they finish.

    If tasks fail, the first error is raised after all others have finished and their results were yielded. If this
    thread is interrupted, no further task starts, and the interrupt is raised when the running ones have ended.

    Args:
        tasks: the tasks; each calls `check_interrupted` between its steps.
        cancel: ends the current step of all tasks, as far as that is possible. Called repeatedly after an interrupt,
            until the tasks have ended.
    """
    failure: BaseException | None = None
    interrupted = Event()

    def run(task: Callable[[], Result]) -> Result:
        _interrupted.set(interrupted)
        check_interrupted()
        return task()

    with ThreadPoolExecutor(MAX_PARALLEL_TABLES) as pool:
        futures = [pool.submit(run, task) for task in tasks]
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    yield future.result()
                failure = failure or error
        except BaseException:
            interrupted.set()
            while wait(futures, SECONDS_BETWEEN_CANCELLATIONS).not_done:
                cancel()
            raise
    if failure is not None:
        raise failure
