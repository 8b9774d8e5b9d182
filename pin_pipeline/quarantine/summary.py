"""The quarantine counted by day, kind, source and reason."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pyarrow as pa

from pin_pipeline.quarantine.reader import TOPIC, Quarantine, Rows
from pin_pipeline.records import RECORD_TYPES, Column
from pin_pipeline.reports import Check, Report, Severity, markdown_table
from pin_pipeline.storage.arrivals import arrivals, by_day
from pin_pipeline.storage.lake import Lake

KEY = "quarantine/summary"
SOURCES = (Quarantine.of_topic, Quarantine.of_stream)
RATE = "quarantine_rate"
WARN_ABOVE, FAIL_ABOVE = 0.01, 0.1
COLUMNS = (
    Column(name="day", type="date", description="UTC day on which the records were first seen."),
    Column(name="kind", type="string", description="Kind that the records should be of."),
    Column(name="source", type="string", description="Whether they came by a topic or by a stream."),
    Column(name="reason", type="string", description="Why they do not fit."),
    Column(name="records", type="bigint", description="How many are in quarantine."),
)
TEXTS = ("kind", "source", "reason")
SCHEMA = pa.schema([("day", pa.date32()), *((name, pa.string()) for name in TEXTS), ("records", pa.int64())])
LISTED_ROWS, PLOTTED_DAYS, HEIGHT = 50, 14, 60


def summarize(lake: Lake) -> Report:
    """Count what is in quarantine into the summary's table, which changes only where a count has changed."""
    rows = [row for record_type in RECORD_TYPES for of in SOURCES for row in of(lake, record_type).counts()]
    table = pa.Table.from_pylist(_in_order(rows), SCHEMA)
    last = lake.snapshot(KEY)
    if last is None or _in_order(last.query("select * from t").to_pylist()) != table.to_pylist():
        lake.write(KEY, table)
    days: Counter[date] = Counter()
    for row in rows:
        days[row["day"]] += row["records"]
    return Report(
        KEY,
        table.num_rows,
        {
            "records": sum(days.values()),
            "by_reason_and_day": markdown_table(table.slice(max(0, table.num_rows - LISTED_ROWS))),
            "by_day": _bars(sorted(days.items())[-PLOTTED_DAYS:]),
        },
        (_rate(lake, rows),),
    )


def _in_order(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: tuple(map(str, row.values())))


def _rate(lake: Lake, rows: Rows) -> Check:
    """The highest share of quarantined records among the topics, each on the last day that brought it records."""
    rates = {record_type: rate for record_type in RECORD_TYPES for rate in _last_rate(lake, record_type, rows)}
    highest = max(rates.values(), default=0.0)
    severity = Severity.ERROR if highest > FAIL_ABOVE else Severity.WARN
    shares = {f"share_of_{record_type}": round(rate, 4) for record_type, rate in rates.items()}
    return Check(RATE, highest <= WARN_ABOVE, {**shares, "warn_above": WARN_ABOVE, "fail_above": FAIL_ABOVE}, severity)


def _last_rate(lake: Lake, record_type: str, rows: Rows) -> Iterator[float]:
    cleaned = lake.snapshot(f"cleaned/{record_type}")
    days = by_day(arrivals(cleaned.commits())) if cleaned else {}
    if days:
        day = max(days)
        which = (record_type, TOPIC.name, day)
        caught = sum(row["records"] for row in rows if (row["kind"], row["source"], row["day"]) == which)
        yield min(1.0, caught / days[day])


def _bars(days: list[tuple[date, int]]) -> str:
    """A bar chart as Markdown that Dagster shows: an SVG image, small enough to be shown in place."""
    highest = max((records for _, records in days), default=1)
    heights = [round(HEIGHT * records / highest) for _, records in days]
    bars = "".join(f"M{18 * number} {HEIGHT}v-{height}h14v{height}" for number, height in enumerate(heights))
    size = f'width="{18 * max(len(days), 1)}" height="{HEIGHT}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><path fill="#c33" d="{bars}"/></svg>'
    picture = base64.b64encode(svg.encode()).decode()
    span = f"{days[0][0]} to {days[-1][0]}, at most {highest} a day" if days else "nothing in quarantine"
    return f"![records in quarantine by day](data:image/svg+xml;base64,{picture})\n\n{span}"
