"""Parallel tasks: errors, and interruption."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event, Semaphore
from typing import Any

import pytest

from pin_pipeline.batch.parallel import check_interrupted, in_parallel
from pin_pipeline.reports import Report


def report(key: str) -> Report:
    return Report(key, 0, {}, ())


def no_cancel() -> None:
    pass


def fail() -> Report:
    raise ValueError("one task failed")


def test_in_parallel_yields_all_reports_before_it_raises_the_first_error() -> None:
    found: list[str] = []
    tasks: list[Callable[[], Report]] = [fail, *(partial(report, key) for key in "abcdef")]
    with pytest.raises(ValueError, match="one task failed"):
        found.extend(each.key for each in in_parallel(tasks, no_cancel))
    assert sorted(found) == list("abcdef")


def test_in_parallel_stops_tasks_when_interrupted() -> None:
    started = Event()
    outcomes: list[str] = []

    def work() -> Report:
        started.set()
        try:
            while True:
                check_interrupted()
        finally:
            outcomes.append("stopped")

    reports: Any = in_parallel([partial(report, "a"), work], no_cancel)
    assert next(reports).key == "a"
    assert started.wait(10)
    with pytest.raises(KeyboardInterrupt):
        reports.throw(KeyboardInterrupt)
    assert outcomes == ["stopped"]


def test_cancel_is_called_until_the_tasks_have_ended() -> None:
    started, cancelled = Event(), Semaphore(0)

    def work() -> Report:
        started.set()
        for _ in range(2):  # each cancellation ends one step
            assert cancelled.acquire(timeout=10)
        raise ValueError("the work was cancelled")

    reports: Any = in_parallel([partial(report, "a"), work], cancelled.release)
    assert next(reports).key == "a"
    assert started.wait(10)
    with pytest.raises(KeyboardInterrupt):
        reports.throw(KeyboardInterrupt)


def test_check_interrupted_does_nothing_outside_a_task() -> None:
    check_interrupted()
