"""Summary of the quarantine: number of records by day, record type, source and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from pin_pipeline.quarantine.reader import TOPIC, Quarantine, Rows
from pin_pipeline.records import RECORD_TYPES, Column
from pin_pipeline.records.reasons import Reason
from pin_pipeline.reports import Check, Report, Severity, markdown_table
from pin_pipeline.storage.arrivals import recent_arrivals, records_by_day
from pin_pipeline.storage.lake import Lake

KEY = "quarantine/summary"
SOURCES = (Quarantine.of_topic, Quarantine.of_stream)
RATE = "quarantine_rate"
WARN_ABOVE, FAIL_ABOVE = 0.01, 0.1
COLUMNS = (
    Column(name="day", type="date", description="UTC day on which the records were quarantined."),
    Column(name="kind", type="string", description="Record type of the topic or stream."),
    Column(name="source", type="string", description="Source of the records: topic or stream."),
    Column(name="reason", type="string", description="Why the records were rejected."),
    Column(name="records", type="bigint", description="Number of records in quarantine."),
)
TEXT_COLUMNS = ("kind", "source", "reason")
SCHEMA = pa.schema([("day", pa.date32()), *((name, pa.string()) for name in TEXT_COLUMNS), ("records", pa.int64())])
LISTED_ROWS = 50
"""Number of latest rows in the Markdown table of the report."""


def summarize(lake: Lake) -> Report:
    """Count the records in quarantine, and overwrite the summary's table if a count has changed."""
    quarantines = [open_quarantine(lake, record_type) for record_type in RECORD_TYPES for open_quarantine in SOURCES]
    rows = [row for quarantine in quarantines for row in quarantine.counts()]
    table = pa.Table.from_pylist(_sort(rows), SCHEMA)
    last = lake.snapshot(KEY)
    if last is None or _sort(last.query("select * from t").to_pylist()) != table.to_pylist():
        lake.overwrite(KEY, table)
    by_reason: Counter[str] = Counter()
    for row in rows:
        by_reason[row["reason"]] += row["records"]
    return Report(
        KEY,
        table.num_rows,
        {
            "records": by_reason.total(),
            **{f"records_{reason}": by_reason[reason] for reason in Reason},
            "by_reason_and_day": markdown_table(table.slice(max(0, table.num_rows - LISTED_ROWS))),
        },
        (_check_rate(lake, rows),),
    )


def _sort(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: tuple(map(str, row.values())))


def _check_rate(lake: Lake, rows: Rows) -> Check:
    """Check the highest share of quarantined records among the topics, each on its last day with records."""
    rates = {record_type: rate for record_type in RECORD_TYPES for rate in _last_rate(lake, record_type, rows)}
    highest = max(rates.values(), default=0.0)
    severity = Severity.ERROR if highest > FAIL_ABOVE else Severity.WARN
    shares = {f"share_of_{record_type}": round(rate, 4) for record_type, rate in rates.items()}
    return Check(RATE, highest <= WARN_ABOVE, {**shares, "warn_above": WARN_ABOVE, "fail_above": FAIL_ABOVE}, severity)


def _last_rate(lake: Lake, record_type: str, rows: Rows) -> Iterator[float]:
    """Yield the share of a topic's quarantined records on its last day with records; nothing before the first day."""
    cleaned = lake.snapshot(f"cleaned/{record_type}")
    days = records_by_day(recent_arrivals(cleaned.commits())) if cleaned else {}
    if days:
        day = max(days)
        key = (record_type, TOPIC.name, day)
        quarantined = sum(row["records"] for row in rows if (row["kind"], row["source"], row["day"]) == key)
        yield min(1.0, quarantined / days[day])
