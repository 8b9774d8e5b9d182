"""Parallel processing of several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from pin_pipeline.reports import Report

MAX_PARALLEL_TABLES = 4
"""More tables than cores: a small table mostly waits for the round trips of its commit."""


def in_parallel(tasks: Sequence[Callable[[], Report]]) -> Iterator[Report]:
    """Run tasks in parallel, and yield their reports as they finish.

    If tasks fail, the first error is raised after all others have finished and their reports were yielded.
    """
    failure: BaseException | None = None
    with ThreadPoolExecutor(MAX_PARALLEL_TABLES) as pool:
        for future in as_completed([pool.submit(task) for task in tasks]):
            error = future.exception()
            if error is None:
                yield future.result()
            failure = failure or error
    if failure is not None:
        raise failure
