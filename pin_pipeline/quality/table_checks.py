"""The quality of a published table: every rule of its kind in one scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from pin_pipeline.quality.volume import fresh, volume_anomaly
from pin_pipeline.records import RECORD_TYPES, Expectation, RecordType
from pin_pipeline.reports import Check, Metadata, Severity, markdown_table
from pin_pipeline.storage.arrivals import arrivals
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake

SAMPLE = 5
# Posts that arrive while the three topics are landed may be in one table and not yet in another.
COMPLETE = 0.99
DESCRIPTIONS = {
    "primary_key_unique_not_null": "Every row has a key, and no two rows have the same.",
    "null_rate": "Each column has a value in at least the share of rows that its definition says.",
    "referential_integrity": f"At least {COMPLETE:.0%} of the posts in this table are in the other two as well.",
    "fresh": "New records came within the last 36 hours.",
    "volume_anomaly": "The last day brought between a third and three times the median of up to seven days before.",
}


def cleaned_tables(lake: Lake) -> dict[str, Snapshot]:
    """The cleaned tables that are there by now, by their kinds."""
    tables = {record_type: lake.snapshot(f"cleaned/{record_type}") for record_type in RECORD_TYPES}
    return {record_type: table for record_type, table in tables.items() if table is not None}


def complete_posts(tables: Mapping[str, Snapshot]) -> int:
    """How many posts are in all of the cleaned tables."""
    if tables.keys() != RECORD_TYPES.keys():
        return 0
    (first, *others), named = RECORD_TYPES, dict(tables)
    in_all = " and ".join(f"ind in (select ind from {name})" for name in others)  # noqa: S608 - our own
    table = named.pop(first)
    counted = table.query(f"select count(*) as posts from t where {in_all}", **named)  # noqa: S608 - our own
    return int(counted["posts"][0].as_py())


def inspect(record_type: RecordType, table: Snapshot, complete: int, now: datetime) -> Iterator[Check]:
    """The checks of a kind's cleaned table, when so many posts are complete."""
    counts = table.query(_scan(record_type)).to_pylist()[0]
    yield _keys(counts)
    yield _filled(record_type, counts)
    for expectation in record_type.expectations:
        yield _met(table, expectation, counts)
    yield _complete(table.rows, complete)
    came = arrivals(table.commits())
    yield fresh(came, now)
    yield volume_anomaly(came)


def _scan(record_type: RecordType) -> str:
    counts = {
        "rows": "count(*)",
        "keys": "count(distinct ind)",
        **{_filled_name(column.name): f'count("{column.name}")' for column in record_type.columns},
        **{
            expectation.name: f"count(*) filter (where {_unmet(expectation)})"
            for expectation in record_type.expectations
        },
    }
    return f"select {', '.join(f'{sql} as {name}' for name, sql in counts.items())} from t"  # noqa: S608 - our own


def _filled_name(column: str) -> str:
    return f"filled_{column}"


def _unmet(expectation: Expectation) -> str:
    return f"({expectation.sql}) is not true"


def _keys(counts: dict[str, int]) -> Check:
    missing = counts["rows"] - counts[_filled_name("ind")]
    doubled = counts[_filled_name("ind")] - counts["keys"]
    return Check("primary_key_unique_not_null", not missing and not doubled, {"doubled": doubled, "missing": missing})


def _filled(record_type: RecordType, counts: dict[str, int]) -> Check:
    rows = counts["rows"]
    shares = {column: counts[_filled_name(column.name)] / rows if rows else 1.0 for column in record_type.columns}
    short = [column.name for column, share in shares.items() if share < column.filled]
    lines = [
        {"column": column.name, "filled": f"{share:.1%}", "at least": f"{column.filled:.0%}"}
        for column, share in shares.items()
    ]
    table = markdown_table(pa.Table.from_pylist(lines))
    return Check("null_rate", not short, {"rows": rows, "failed": len(short), "shares": table}, Severity.WARN)


def _met(table: Snapshot, expectation: Expectation, counts: dict[str, int]) -> Check:
    failed = counts[expectation.name]
    metadata: Metadata = {"rows": counts["rows"], "failed": failed}
    if failed:
        metadata = {**metadata, "sample": _sample(table, expectation)}
    return Check(expectation.name, not failed, metadata, Severity.WARN)


def _sample(table: Snapshot, expectation: Expectation) -> str:
    """A few rows that differ, by their key, their source position and what the expectation shows."""
    columns = ", ".join(("ind", *expectation.shown, "source_partition", "source_offset"))
    sql = f"select {columns} from t where {_unmet(expectation)} order by ind limit {SAMPLE}"  # noqa: S608
    return markdown_table(table.query(sql))


def _complete(rows: int, complete: int) -> Check:
    share = complete / rows if rows else 1.0
    metadata: Metadata = {"posts": rows, "in_all_three": complete, "share": round(share, 4), "at_least": COMPLETE}
    return Check("referential_integrity", share >= COMPLETE, metadata, Severity.WARN)
