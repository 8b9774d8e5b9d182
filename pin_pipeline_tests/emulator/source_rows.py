"""Geolocation rows and lines for tests of the source database."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import HealthCheck, settings

from pin_pipeline.emulator.files import SourceRow

MANY_EXAMPLES = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def geo(ind: int, country: str | None = "Peru") -> SourceRow:
    timestamp = datetime(2018, 3, 1, 12, 30, 5, tzinfo=UTC).replace(tzinfo=None)
    return {"ind": ind, "timestamp": timestamp, "latitude": -1.5, "longitude": 170.1234, "country": country}


def geo_line(**changes: object) -> str:
    record = {"ind": 1, "timestamp": "2018-03-01 12:30:05", "latitude": 1, "longitude": 2.5, "country": "Peru"}
    return json.dumps(record | changes)
