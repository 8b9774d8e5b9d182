"""Arrivals: how many records each commit of a cleaned table added, from the totals in its metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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


def arrivals(commits: Iterable[Commit], days: int = DAYS) -> list[Arrival]:
    """Return the arrivals of the last `days` days that had any, and of the day before them; newest first."""
    totals = ((commit.at, int(commit.metadata["landed"])) for commit in commits)
    found: list[Arrival] = []
    for (at, landed), (_, before) in pairwise(totals):
        if landed > before:
            found.append(Arrival(at, landed - before))
        if len(by_day(found)) > days + 1:
            break
    return found


def by_day(found: Sequence[Arrival]) -> dict[date, int]:
    """Return the number of records per UTC day that had any."""
    days: Counter[date] = Counter()
    for arrival in found:
        days[arrival.at.date()] += arrival.records
    return dict(days)
