"""What is in quarantine: counted by reason and day, looked up by record."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.preview import markdown
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.report import Check, Report, Severity
from pin_pipeline.quality.arrivals import arrivals, by_day
from pin_pipeline.records import KINDS, Column
from pin_pipeline.records.reasons import Reason

RECORD_ID = re.compile(r"(?P<kind>\w+)/(?P<partition>\d+)/(?P<offset>\d+)", re.ASCII)
KEY = "quarantine/summary"
RATE = "quarantine_rate"
WARN_ABOVE, FAIL_ABOVE = 0.01, 0.1
COLUMNS = (
    Column(name="day", type="date", description="UTC day on which the records were first seen."),
    Column(name="kind", type="string", description="Kind that the records should be of."),
    Column(name="reason", type="string", description="Why they do not fit."),
    Column(name="records", type="bigint", description="How many are in quarantine."),
)
SCHEMA = pa.schema([("day", pa.date32()), ("kind", pa.string()), ("reason", pa.string()), ("records", pa.int64())])
LISTED_ROWS, PLOTTED_DAYS, HEIGHT = 50, 14, 60


class QuarantineError(Exception):
    """A record is not in quarantine, or its name is none."""


@dataclass(frozen=True)
class RecordId:
    """A quarantined record by kind, partition and offset; written `pin/0/17`."""

    kind: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """The record that `text` names.

        Raises:
            QuarantineError: it names none.
        """
        match = RECORD_ID.fullmatch(text)
        if match is None or match["kind"] not in KINDS:
            raise QuarantineError(f"{text!r} names no record; expected kind/partition/offset, such as pin/0/17")
        return cls(match["kind"], int(match["partition"]), int(match["offset"]))

    def __str__(self) -> str:
        return f"{self.kind}/{self.partition}/{self.offset}"


def records(lake: Lake, kind: str, reasons: Sequence[Reason], limit: int) -> list[dict[str, Any]]:
    """Rows of a kind's quarantine with one of these reasons, the latest first."""
    listed = ", ".join(f"'{reason}'" for reason in reasons)
    return _rows(lake, kind, f"reason in ({listed}) order by source_offset desc, source_partition limit {limit}")


def find(lake: Lake, record: RecordId) -> dict[str, Any]:
    """The row of a record.

    Raises:
        QuarantineError: it is not in quarantine.
    """
    rows = _rows(lake, record.kind, f"source_partition = {record.partition} and source_offset = {record.offset}")
    if not rows:
        raise QuarantineError(
            f"{record} is not in quarantine; `pin-pipeline quarantine list` lists the records that are"
        )
    return rows[0]


def count(lake: Lake, kind: str) -> int:
    """How many records of a kind are in quarantine."""
    return sum(row["records"] for row in _counts(lake, kind))


def _rows(lake: Lake, kind: str, which: str) -> list[dict[str, Any]]:
    return _select(lake, kind, "*", f"and {which}")


def _counts(lake: Lake, kind: str) -> list[dict[str, Any]]:
    counts = f"cast(first_seen as date) as day, '{kind}' as kind, reason, count(*) as records"
    return _select(lake, kind, counts, "group by 1, 2, 3")


def _select(lake: Lake, kind: str, what: str, which: str) -> list[dict[str, Any]]:
    """Of the records that are in a kind's quarantine; what a replay has published, but not removed yet, is not."""
    if lake.version(f"quarantine/{kind}") is None:
        return []
    held = Progress.of(lake, f"cleaned/{kind}").in_quarantine
    sql = f"select {what} from t where {held} {which}"  # noqa: S608 - numbers and names of our own
    rows: list[dict[str, Any]] = lake.query(f"quarantine/{kind}", sql).to_pylist()
    return rows


def summarize(lake: Lake) -> Report:
    """Count what is in quarantine into the summary's table, which changes only where a count has changed."""
    counts = {kind: _counts(lake, kind) for kind in KINDS}
    rows = [row for of_kind in counts.values() for row in of_kind]
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: tuple(row.values())), SCHEMA)
    if lake.version(KEY) is None or table.to_pylist() != _as_it_is(lake):
        lake.write(KEY, table)
    days: Counter[date] = Counter()
    for row in rows:
        days[row["day"]] += row["records"]
    return Report(
        KEY,
        table.num_rows,
        {
            "records": sum(days.values()),
            "by_reason_and_day": markdown(table.slice(max(0, table.num_rows - LISTED_ROWS))),
            "by_day": _bars(sorted(days.items())[-PLOTTED_DAYS:]),
        },
        (_rate(lake, counts),),
    )


def _as_it_is(lake: Lake) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.query(KEY, "select * from t order by day, kind, reason").to_pylist()
    return rows


def _rate(lake: Lake, counts: Mapping[str, list[dict[str, Any]]]) -> Check:
    """The highest share of quarantined records among the kinds, each on the last day that brought it records."""
    rates = {kind: rate for kind, rows in counts.items() for rate in _last_rate(lake, kind, rows)}
    highest = max(rates.values(), default=0.0)
    severity = Severity.ERROR if highest > FAIL_ABOVE else Severity.WARN
    shares = {f"share_of_{kind}": round(rate, 4) for kind, rate in rates.items()}
    return Check(RATE, highest <= WARN_ABOVE, {**shares, "warn_above": WARN_ABOVE, "fail_above": FAIL_ABOVE}, severity)


def _last_rate(lake: Lake, kind: str, rows: list[dict[str, Any]]) -> Iterator[float]:
    days = by_day(arrivals(lake.commits(f"cleaned/{kind}")))
    if days:
        day = max(days)
        caught = sum(row["records"] for row in rows if row["day"] == day)
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
