"""Buckets and table windows that cover a window of the dashboard, without overlapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pin_pipeline.dashboard.windows import Window, popularity_window_starts, window_start

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
TEN_MINUTES, HOUR = timedelta(minutes=10), timedelta(hours=1)


def at(hour: int, minute: int, second: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


def test_chart_starts_with_the_bucket_that_contains_the_start_of_the_window() -> None:
    starts = [window_start(at(12, 34, 56), window, window.bucket) for window in Window]
    assert starts == [at(12, 29, 55), at(12, 19, 45), at(11, 34), at(12, 24, day=1)]


def test_posters_are_counted_in_the_shortest_covering_hour_and_a_day_in_24_hours() -> None:
    now = at(12, 34, 56)
    by_window = {window: popularity_window_starts(now, window) for window in Window}
    assert by_window[Window.FIVE_MINUTES] == [at(12, 20)]
    assert by_window[Window.QUARTER] == [at(12, 10)]
    assert by_window[Window.HOUR] == [at(11, 40)]
    assert by_window[Window.DAY] == [at(11, 40) - number * HOUR for number in range(24)]


@given(MOMENTS, st.sampled_from(Window))
def test_popularity_windows_do_not_overlap_and_contain_now(now: datetime, window: Window) -> None:
    latest, *others = starts = popularity_window_starts(now, window)
    assert latest <= now < latest + HOUR
    assert all(start.timestamp() % TEN_MINUTES.total_seconds() == 0 for start in starts)
    assert others == [start - HOUR for start in starts[:-1]]
    assert now - starts[-1] >= min(window.length, len(starts) * HOUR - TEN_MINUTES)


@given(MOMENTS, st.sampled_from(Window))
def test_chart_covers_its_window_with_60_buckets_and_a_running_one(now: datetime, window: Window) -> None:
    since = window_start(now, window, window.bucket)
    assert since <= now - window.length < since + window.bucket
