"""Data quality checks of a cleaned table; one scan computes all counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from pin_pipeline.quality.volume import check_freshness, check_volume
from pin_pipeline.records import RECORD_TYPES, Expectation, RecordType
from pin_pipeline.reports import Check, Metadata, Severity, markdown_table
from pin_pipeline.storage.arrivals import recent_arrivals
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import Lake

SAMPLE_ROWS = 5
MIN_COMPLETE = 0.99
"""Share of posts that must be in all three tables: posts that arrive during landing may be in some of them only."""
DESCRIPTIONS = {
    "primary_key_unique_not_null": "Every row has a key, and no two rows have the same key.",
    "null_rate": "The share of rows without a value is within the limit of each column.",
    "referential_integrity": f"At least {MIN_COMPLETE:.0%} of the posts in this table are in the other two as well.",
    "fresh": "New records arrived within the last 36 hours.",
    "volume_anomaly": (
        "The number of records of the last day is between a third and three times the median of up to seven days "
        "before it."
    ),
}


def cleaned_tables(lake: Lake) -> dict[str, Snapshot]:
    """Return the cleaned tables that exist, by record type."""
    tables = {record_type: lake.snapshot(f"cleaned/{record_type}") for record_type in RECORD_TYPES}
    return {record_type: table for record_type, table in tables.items() if table is not None}


def count_complete_posts(tables: Mapping[str, Snapshot]) -> int:
    """Return the number of posts that are in all cleaned tables; 0 if a table does not exist."""
    if tables.keys() != RECORD_TYPES.keys():
        return 0
    (first, *others), named = RECORD_TYPES, dict(tables)
    in_others = " and ".join(f"ind in (select ind from {name})" for name in others)  # noqa: S608 - names of tables
    table = named.pop(first)
    counted = table.query(f"select count(*) as posts from t where {in_others}", **named)  # noqa: S608 - as above
    return int(counted["posts"][0].as_py())


def check_table(record_type: RecordType, table: Snapshot, complete_posts: int, now: datetime) -> Iterator[Check]:
    """Check the cleaned table of a record type.

    Args:
        record_type: definition of the columns and expectations.
        table: the cleaned table.
        complete_posts: number of posts that are in all cleaned tables.
        now: time to compare the last arrival with.
    """
    counts = table.query(_counts_query(record_type)).to_pylist()[0]
    yield _check_primary_key(counts)
    yield _check_null_rates(record_type, counts)
    for expectation in record_type.expectations:
        yield _check_expectation(table, expectation, counts)
    yield _check_referential_integrity(table.rows, complete_posts)
    arrivals = recent_arrivals(table.commits())
    yield check_freshness(arrivals, now)
    yield check_volume(arrivals)


def _counts_query(record_type: RecordType) -> str:
    counts = {
        "rows": "count(*)",
        "keys": "count(distinct ind)",
        **{_nulls(column.name): f'count(*) - count("{column.name}")' for column in record_type.columns},
        **{
            expectation.name: f"count(*) filter (where {_violates(expectation)})"
            for expectation in record_type.expectations
        },
    }
    return f"select {', '.join(f'{sql} as {name}' for name, sql in counts.items())} from t"  # noqa: S608 - as above


def _nulls(column: str) -> str:
    return f"nulls_{column}"


def _violates(expectation: Expectation) -> str:
    return f"({expectation.sql}) is not true"


def _check_primary_key(counts: dict[str, int]) -> Check:
    nulls = counts[_nulls("ind")]
    duplicates = counts["rows"] - nulls - counts["keys"]
    metadata: Metadata = {"duplicate_keys": duplicates, "null_keys": nulls}
    return Check("primary_key_unique_not_null", not duplicates and not nulls, metadata)


def _check_null_rates(record_type: RecordType, counts: dict[str, int]) -> Check:
    rows = counts["rows"]
    nulls = {column: counts[_nulls(column.name)] for column in record_type.columns}
    failed = [column for column, count in nulls.items() if rows and (rows - count) / rows < column.min_filled]
    rates = [
        {
            "column": column.name,
            "null rate": f"{count / rows if rows else 0.0:.1%}",
            "at most": f"{1 - column.min_filled:.0%}",
        }
        for column, count in nulls.items()
    ]
    table = markdown_table(pa.Table.from_pylist(rates))
    return Check("null_rate", not failed, {"rows": rows, "failed": len(failed), "null_rates": table}, Severity.WARN)


def _check_expectation(table: Snapshot, expectation: Expectation, counts: dict[str, int]) -> Check:
    failed = counts[expectation.name]
    metadata: Metadata = {"rows": counts["rows"], "failed": failed}
    if failed:
        metadata = {**metadata, "sample": _sample(table, expectation)}
    return Check(expectation.name, not failed, metadata, Severity.WARN)


def _sample(table: Snapshot, expectation: Expectation) -> str:
    """Return a few rows that break an expectation: key, sample columns and source position."""
    columns = ", ".join(("ind", *expectation.sample_columns, "source_partition", "source_offset"))
    sql = f"select {columns} from t where {_violates(expectation)} order by ind limit {SAMPLE_ROWS}"  # noqa: S608
    return markdown_table(table.query(sql))


def _check_referential_integrity(rows: int, complete_posts: int) -> Check:
    share = complete_posts / rows if rows else 1.0
    metadata: Metadata = {
        "posts": rows,
        "in_all_three": complete_posts,
        "share": round(share, 4),
        "at_least": MIN_COMPLETE,
    }
    return Check("referential_integrity", share >= MIN_COMPLETE, metadata, Severity.WARN)
