"""Bring several tables up to date at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from pin_pipeline.reports import Report

# A small table waits for its commit's round trips, not for the cores.
TABLES_AT_ONCE = 4


def in_parallel(tasks: Sequence[Callable[[], Report]]) -> Iterator[Report]:
    """The reports of all tasks as they come. The first failure is raised when the others have ended and reported."""
    failure: BaseException | None = None
    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        for future in as_completed([pool.submit(task) for task in tasks]):
            error = future.exception()
            if error is None:
                yield future.result()
            failure = failure or error
    if failure is not None:
        raise failure
