"""Checks of when records arrived and how many: freshness and volume."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from pin_pipeline.reports import Check, Severity
from pin_pipeline.storage.arrivals import DAYS, Arrival, by_day

FRESH = timedelta(hours=36)
"""A daily table is fresh for a day and a half: one late run is not a failure."""
MIN_DAYS = 3
"""The last day is compared with the median of up to `DAYS` days before it, if there are at least `MIN_DAYS`."""
MIN_RATIO, MAX_RATIO = 1 / 3, 3


def fresh(found: Sequence[Arrival], now: datetime) -> Check:
    """Check that the table has received records within `FRESH`."""
    if not found:
        return Check("fresh", passed=False, metadata={"records": 0}, severity=Severity.WARN)
    age = now - max(arrival.at for arrival in found)
    hours = {"hours_since_last_records": round(age / timedelta(hours=1), 1), "at_most": FRESH // timedelta(hours=1)}
    return Check("fresh", age <= FRESH, hours, Severity.WARN)


def volume_anomaly(found: Sequence[Arrival]) -> Check:
    """Check that the last day with records brought about as many as the days before it."""
    days = sorted(by_day(found).items())
    *before, last = [records for _, records in days] or [0]
    before = before[-DAYS:]
    metadata: dict[str, int | float | str] = {"records_of_last_day": last, "days_before": len(before)}
    if len(before) < MIN_DAYS:
        return Check("volume_anomaly", passed=True, metadata=metadata, severity=Severity.WARN)
    usual = median(before)
    metadata["median_of_days_before"] = usual
    return Check("volume_anomaly", MIN_RATIO * usual <= last <= MAX_RATIO * usual, metadata, Severity.WARN)
