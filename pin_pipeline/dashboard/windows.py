"""Time windows of the dashboard, and the buckets and table windows that cover them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum

from pin_pipeline.streaming.windows import PROFILE_POPULARITY, PROFILE_POPULARITY_EVERY

BUCKETS = 60
EPOCH = datetime.fromtimestamp(0, UTC)


class Window(IntEnum):
    """Length of the window that the page shows, in minutes."""

    FIVE_MINUTES = 5
    QUARTER = 15
    HOUR = 60
    DAY = 24 * 60

    @property
    def length(self) -> timedelta:
        """Length of the window as a duration."""
        return timedelta(minutes=self)

    @property
    def bucket(self) -> timedelta:
        """Duration of one bar of the chart."""
        return self.length / BUCKETS


def window_start(now: datetime, window: Window, step: timedelta) -> datetime:
    """Return the latest start of a step such that the steps from there to `now` cover the window."""
    return _floor(now - window.length, step)


def popularity_window_starts(now: datetime, window: Window) -> list[datetime]:
    """Return the starts of the hourly windows to count posters in, latest first.

    Hourly windows start every ten minutes, so each post is in six of them. The returned windows do not overlap, so
    their counts add up. The latest one has not ended; it is the shortest that covers the page's window, or else the
    longest.
    """
    oldest_running = _floor(now, PROFILE_POPULARITY_EVERY) - PROFILE_POPULARITY + PROFILE_POPULARITY_EVERY
    latest = max(oldest_running, window_start(now, window, PROFILE_POPULARITY_EVERY))
    hours = max(window.length // PROFILE_POPULARITY, 1)
    return [latest - number * PROFILE_POPULARITY for number in range(hours)]


def _floor(time: datetime, step: timedelta) -> datetime:
    return EPOCH + (time - EPOCH) // step * step
