"""Freshness and volume, as the log of a table tells them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pin_pipeline.quality.volume import fresh, volume_anomaly
from pin_pipeline.storage.arrivals import Arrival, arrivals, by_day
from pin_pipeline.storage.delta_snapshot import Commit

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def days(*records: int) -> list[Arrival]:
    """Records that came at noon, on one day after the other, the last of them today."""
    return [Arrival(NOON - timedelta(days=age), count) for age, count in enumerate(reversed(records))]


def test_arrivals_are_what_the_total_has_grown_by() -> None:
    totals = [(3, 25), (2, 20), (1, 20), (0, 0)]
    commits = [Commit(NOON + timedelta(hours=hour), {"landed": landed}, {}) for hour, landed in totals]
    came = arrivals(commits)
    assert came == [Arrival(NOON + timedelta(hours=3), 5), Arrival(NOON + timedelta(hours=1), 20)]
    assert by_day(came) == {date(2026, 1, 10): 25}


def test_arrivals_go_back_as_far_as_the_volume_of_a_day_is_compared() -> None:
    commits = iter([Commit(NOON - timedelta(days=age), {"landed": 100 - age}, {}) for age in range(100)])
    assert len(by_day(arrivals(commits))) == 9
    assert len(list(commits)) == 100 - 10


@pytest.mark.parametrize(("hours", "passed"), [(0, True), (36, True), (36.1, False)])
def test_records_older_than_36_hours_are_no_longer_fresh(hours: float, *, passed: bool) -> None:
    check = fresh(days(5, 5), NOON + timedelta(hours=hours))
    assert check.passed is passed
    assert check.metadata["hours_since_last_records"] == pytest.approx(hours)


def test_a_table_that_never_got_anything_is_not_fresh() -> None:
    assert not fresh([], NOON).passed


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
def test_a_day_is_held_against_the_median_of_the_days_before_where_these_are_enough(
    records: tuple[int, ...], *, passed: bool
) -> None:
    assert volume_anomaly(days(*records)).passed is passed
