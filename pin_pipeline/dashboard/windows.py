"""The windows that the page can look at, and which counts make one up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum

from pin_pipeline.streaming.windows import PROFILE_POPULARITY, PROFILE_POPULARITY_EVERY

BUCKETS = 60
EPOCH = datetime.fromtimestamp(0, UTC)


class Window(IntEnum):
    """How far the page looks back, in minutes."""

    FIVE_MINUTES = 5
    QUARTER = 15
    HOUR = 60
    DAY = 24 * 60

    @property
    def length(self) -> timedelta:
        """The same as a duration."""
        return timedelta(minutes=self)

    @property
    def bucket(self) -> timedelta:
        """How much time a bar of the chart stands for."""
        return self.length / BUCKETS


def covering(now: datetime, window: Window, step: timedelta) -> datetime:
    """The latest begin of a step by which the steps from there to now cover the window."""
    return _floor(now - window.length, step)


def popularity_windows(now: datetime, window: Window) -> list[datetime]:
    """Begins of the hours in which posters are counted, the latest first. None overlaps another, so they add up.

    These hours slide: of the six that hold a post, it is counted in one. The latest is one that is not over yet, the
    shortest that covers the window, or the longest.
    """
    oldest_running = _floor(now, PROFILE_POPULARITY_EVERY) - PROFILE_POPULARITY + PROFILE_POPULARITY_EVERY
    latest = max(oldest_running, covering(now, window, PROFILE_POPULARITY_EVERY))
    hours = max(window.length // PROFILE_POPULARITY, 1)
    return [latest - number * PROFILE_POPULARITY for number in range(hours)]


def _floor(moment: datetime, step: timedelta) -> datetime:
    return EPOCH + (moment - EPOCH) // step * step
