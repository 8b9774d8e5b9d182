"""Freshness and volume checks: when records arrived, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from pin_pipeline.reports import NO_RECORDS_YET, Check, Severity
from pin_pipeline.storage.arrivals import DAYS, Arrival, records_by_day

MAX_AGE = timedelta(hours=36)
"""A daily table is fresh for a day and a half: one late run is not a failure."""
MIN_DAYS = 3
"""The last day is compared with the median of up to `DAYS` days before it if there are at least `MIN_DAYS`."""
MIN_RATIO, MAX_RATIO = 1 / 3, 3


def check_freshness(arrivals: Sequence[Arrival], now: datetime) -> Check:
    """Check that records arrived within `MAX_AGE`."""
    if not arrivals:
        return Check("fresh", passed=False, metadata={"reason": NO_RECORDS_YET}, severity=Severity.WARN)
    age = now - max(arrival.at for arrival in arrivals)
    hours = {"hours_since_last_records": round(age / timedelta(hours=1), 1), "at_most": MAX_AGE // timedelta(hours=1)}
    return Check("fresh", age <= MAX_AGE, hours, Severity.WARN)


def check_volume(arrivals: Sequence[Arrival]) -> Check:
    """Check that the number of records of the last day is similar to those of the days before it."""
    days = sorted(records_by_day(arrivals).items())
    *before, last = [records for _, records in days] or [0]
    before = before[-DAYS:]
    metadata: dict[str, int | float | str] = {"records_of_last_day": last, "days_before": len(before)}
    if len(before) < MIN_DAYS:
        return Check("volume_anomaly", passed=True, metadata=metadata, severity=Severity.WARN)
    usual = median(before)
    metadata["median_of_days_before"] = usual
    return Check("volume_anomaly", MIN_RATIO * usual <= last <= MAX_RATIO * usual, metadata, Severity.WARN)
