"""When records came, as the log of a cleaned table tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median

from pin_pipeline.lakehouse.report import Check, Severity
from pin_pipeline.lakehouse.snapshot import Commit

FRESH = timedelta(hours=36)
# Fewer days are no habit that a day could differ from.
DAYS, FEWEST_DAYS = 7, 3
LEAST, MOST = 1 / 3, 3


@dataclass(frozen=True)
class Arrival:
    """Records that one commit has brought."""

    at: datetime
    records: int


def arrivals(commits: Iterable[Commit]) -> list[Arrival]:
    """What each commit brought, the newest first, as the totals in their metadata tell.

    It goes back no further than to the first day that `usual_volume` does not look at.
    """
    known = ((commit.at, int(commit.metadata["landed"])) for commit in commits)
    came: list[Arrival] = []
    for (at, landed), (_, before) in pairwise(known):
        if landed > before:
            came.append(Arrival(at, landed - before))
        if len(by_day(came)) > DAYS + 1:
            break
    return came


def by_day(came: Sequence[Arrival]) -> dict[date, int]:
    """How many records came on each UTC day on which any did."""
    days: Counter[date] = Counter()
    for arrival in came:
        days[arrival.at.date()] += arrival.records
    return dict(days)


def fresh(came: Sequence[Arrival], now: datetime) -> Check:
    """Whether the table has got something new lately."""
    if not came:
        return Check("fresh", passed=False, metadata={"records": 0}, severity=Severity.WARN)
    age = now - max(arrival.at for arrival in came)
    hours = {"hours_since_the_last_records": round(age / timedelta(hours=1), 1), "at_most": FRESH // timedelta(hours=1)}
    return Check("fresh", age <= FRESH, hours, Severity.WARN)


def usual_volume(came: Sequence[Arrival]) -> Check:
    """Whether the last day with records brought about as many as the days before it."""
    days = sorted(by_day(came).items())
    *before, last = [records for _, records in days] or [0]
    before = before[-DAYS:]
    metadata: dict[str, int | float | str] = {"records_of_the_last_day": last, "days_before": len(before)}
    if len(before) < FEWEST_DAYS:
        return Check("usual_volume", passed=True, metadata=metadata, severity=Severity.WARN)
    usual = median(before)
    metadata["median_of_the_days_before"] = usual
    return Check("usual_volume", LEAST * usual <= last <= MOST * usual, metadata, Severity.WARN)
