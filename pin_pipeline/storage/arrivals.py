"""Arrivals: number of records that each commit of a cleaned table added, from the totals in its metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from pin_pipeline.storage.delta_snapshot import Commit

DAYS = 7
"""Number of days that volume checks compare with."""


@dataclass(frozen=True)
class Arrival:
    """Records added by one commit."""

    at: datetime
    records: int


def recent_arrivals(commits: Iterable[Commit], days: int = DAYS) -> list[Arrival]:
    """Return the arrivals of the last `days` + 1 days that had any, newest first.

    The list ends with one arrival of an earlier day, if there is one: it shows that the days before it are complete.
    """
    totals = ((commit.at, int(commit.metadata["landed"])) for commit in commits)
    newest: list[Arrival] = []
    for (at, landed), (_, before) in pairwise(totals):
        if landed > before:
            newest.append(Arrival(at, landed - before))
        if len(records_by_day(newest)) > days + 1:
            break
    return newest


def records_by_day(arrivals: Iterable[Arrival]) -> dict[date, int]:
    """Return the number of records per UTC day that had any."""
    days: Counter[date] = Counter()
    for arrival in arrivals:
        days[arrival.at.date()] += arrival.records
    return dict(days)
