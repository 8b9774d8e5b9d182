"""Freshness and volume checks, and the arrivals that they use."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pin_pipeline.quality.volume import check_freshness, check_volume
from pin_pipeline.storage.arrivals import Arrival, recent_arrivals, records_by_day
from pin_pipeline.storage.delta_snapshot import Commit

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def days(*records: int) -> list[Arrival]:
    """Return arrivals at noon of consecutive days, the last of them on the day of `NOON`."""
    return [Arrival(NOON - timedelta(days=age), count) for age, count in enumerate(reversed(records))]


def commit(at: datetime, landed: int) -> Commit:
    """Return a commit with this total of landed records."""
    return Commit(0, at, "WRITE", {"landed": landed}, {})


def test_recent_arrivals_are_increases_of_the_total() -> None:
    totals = [(3, 25), (2, 20), (1, 20), (0, 0)]
    commits = [commit(NOON + timedelta(hours=hour), landed) for hour, landed in totals]
    newest = recent_arrivals(commits)
    assert newest == [Arrival(NOON + timedelta(hours=3), 5), Arrival(NOON + timedelta(hours=1), 20)]
    assert records_by_day(newest) == {date(2026, 1, 10): 25}


def test_recent_arrivals_reads_only_the_days_that_the_volume_check_compares() -> None:
    commits = iter([commit(NOON - timedelta(days=age), 100 - age) for age in range(100)])
    assert len(records_by_day(recent_arrivals(commits))) == 9
    assert len(list(commits)) == 100 - 10


@pytest.mark.parametrize(("hours", "passed"), [(0, True), (36, True), (36.1, False)])
def test_freshness_check_fails_after_36_hours(hours: float, *, passed: bool) -> None:
    check = check_freshness(days(5, 5), NOON + timedelta(hours=hours))
    assert check.passed is passed
    assert check.metadata["hours_since_last_records"] == pytest.approx(hours)


def test_freshness_check_fails_without_records() -> None:
    assert not check_freshness([], NOON).passed


@pytest.mark.parametrize(
    ("records", "passed"),
    [
        ((100, 100, 100, 90), True),
        ((100, 100, 100, 33), False),
        ((100, 100, 100, 34), True),
        ((100, 100, 100, 300), True),
        ((100, 100, 100, 301), False),
        ((10_000, 100, 100, 100, 100, 100, 100, 100, 90), True),
        ((100, 100, 1), True),
        ((), True),
    ],
)
def test_volume_check_compares_last_day_with_median_of_enough_previous_days(
    records: tuple[int, ...], *, passed: bool
) -> None:
    assert check_volume(days(*records)).passed is passed
