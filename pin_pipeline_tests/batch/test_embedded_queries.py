"""Queries of the embedded engine: their SQL in DuckDB's dialect, and results equal to Spark's and to the reference."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake
from pyspark.sql import SparkSession

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.embedded_queries import translate
from pin_pipeline.batch.queries import QUERIES, functions_sql
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake, delta_schema
from pin_pipeline.storage.protocol import UnsupportedProtocolError
from pin_pipeline_tests.batch.batch_helpers import put, run_clean
from pin_pipeline_tests.batch.edge_case_rows import edge_case_rows
from pin_pipeline_tests.batch.query_cases import BEYOND_DOUBLE, TEXTS, Rows, special_rows, write_cleaned
from pin_pipeline_tests.helpers import reference
from pin_pipeline_tests.helpers.rows import geo, pin, user

TRANSLATED = Path(__file__).parent / "translated_sql"
YEAR, AGE_GROUP = "median_followers_by_join_year", "median_followers_by_age_group"
Engine = BatchEngine[Any]
EMBEDDED: Engine = EmbeddedEngine()


def input_versions(lake: Lake) -> dict[str, int]:
    return {name: lake.require(f"cleaned/{name}").version for name in ("pin", "geo", "user")}


def result(lake: Lake, engine: Engine, name: str) -> DeltaTable:
    """Run a query, whether its inputs have changed or not, and open its result table."""
    query = QUERIES[name]
    engine.run_query(lake, query, input_versions(lake), "{}")
    return lake.require(query.key).delta


def rows(table: DeltaTable) -> pa.Table:
    """Read a table with its types and in the order of its rows."""
    return table.to_pyarrow_table()


def assert_equal_results(lake: Lake, spark: Engine, expected: dict[str, set[tuple[Any, ...]]]) -> None:
    """Compare results cell by cell. Each engine creates every other table, and replaces those of the other one."""
    configurations = []
    for number, (name, query) in enumerate(QUERIES.items()):
        engines = (spark, EMBEDDED) if number % 2 else (EMBEDDED, spark)
        tables = [result(lake, engine, name) for engine in engines]
        first = rows(tables[0])
        values = [tuple(row.values()) for row in first.to_pylist()]
        assert (len(values), set(values)) == (len(expected[name]), expected[name]), name
        for table in tables:
            assert rows(table).equals(first), name
            columns = [(field.name, field.type, field.nullable, field.metadata) for field in table.schema().fields]
            declared = delta_schema(query.columns).fields
            assert columns == [(each.name, each.type, True, each.metadata) for each in declared]
            protocol = table.protocol()
            assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
            configurations.append(table.metadata().configuration)
    assert all(configuration == configurations[0] for configuration in configurations), configurations


@pytest.mark.parametrize("name", [*QUERIES, "functions"])
def test_translated_sql_equals_snapshot(name: str) -> None:
    sql = functions_sql() if name == "functions" else QUERIES[name].sql
    assert translate(sql) + "\n" == (TRANSLATED / f"{name}.sql").read_text(encoding="utf-8")
    assert {path.stem for path in TRANSLATED.iterdir()} == {*QUERIES, "functions"}


def test_embedded_queries_equal_spark_and_reference_on_tables_that_spark_cleaned(
    settings: Settings, spark: SparkSession, spark_engine: Engine
) -> None:
    raw = edge_case_rows()
    for record_type, records in raw.items():
        put(settings, record_type, records)
    run_clean(settings, spark_engine)
    lake, expected = Lake.of(settings), reference.queries(reference.cleaned(raw))
    assert_equal_results(lake, spark_engine, expected)
    for name, query in QUERIES.items():
        assert expected[name], "no result is empty"
        schema = spark.read.format("delta").load(lake.path(query.key)).schema
        columns = [(field.name, field.dataType.simpleString(), field.metadata["comment"]) for field in schema]
        assert columns == [(column.name, column.type, column.description) for column in query.columns]


def test_embedded_queries_equal_spark_and_reference_on_special_values(settings: Settings, spark_engine: Engine) -> None:
    raw = special_rows()
    write_cleaned(Lake.of(settings), reference.cleaned(raw))
    assert_equal_results(Lake.of(settings), spark_engine, reference.queries(reference.cleaned(raw)))


def test_embedded_queries_equal_spark_on_empty_tables(settings: Settings, spark_engine: Engine) -> None:
    write_cleaned(Lake.of(settings), {"pin": {}, "geo": {}, "user": {}})
    assert_equal_results(Lake.of(settings), spark_engine, {name: set() for name in QUERIES})


def test_median_rounds_as_spark_when_doubles_cannot_hold_the_counts(settings: Settings, spark_engine: Engine) -> None:
    odd = [count + 1 for count in BEYOND_DOUBLE if count >= 2**53]
    counts = [*odd, 7, 2**63 - 1]
    pairs = [(low, high) for low in counts for high in counts if low <= high][:6]
    raw: Rows = {"pin": [], "geo": [geo(0)], "user": []}
    for year, pair in zip(range(2015, 2021), pairs, strict=True):
        for count in pair:
            key = len(raw["pin"])
            raw["pin"].append(pin(key, follower_count=str(count)))
            raw["user"].append(user(key, date_joined=f"{year}-06-01 00:00:00"))
    write_cleaned(Lake.of(settings), reference.cleaned(raw))
    tables = [rows(result(Lake.of(settings), each, YEAR)) for each in (EMBEDDED, spark_engine)]
    found = [table["median_follower_count"].to_pylist() for table in tables]
    # Each count becomes a double before the mean is computed, so it is rounded twice.
    assert found[0] == found[1] == [median(map(float, pair)) for pair in pairs]


def test_result_rows_are_ordered_by_bytes(settings: Settings) -> None:
    raw: Rows = {
        "pin": [pin(key) for key in range(len(TEXTS))],
        "geo": [geo(key, country=text) for key, text in enumerate(TEXTS)],
        "user": [],
    }
    write_cleaned(Lake.of(settings), reference.cleaned(raw))
    countries = rows(result(Lake.of(settings), EMBEDDED, "most_followed_poster_by_country"))["country"]
    assert countries.to_pylist() == sorted(TEXTS, key=str.encode)


def test_overwrite_keeps_order_of_many_chunks(settings: Settings) -> None:
    chunks = [pa.table({"n": range(first, first + 10_000)}) for first in range(0, 300_000, 10_000)]
    lake = Lake.of(settings)
    lake.overwrite("t", pa.concat_tables(chunks))
    assert rows(lake.require("t").delta)["n"].to_pylist() == list(range(300_000))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """A lake with one post."""
    lake = Lake.of(settings)
    raw: Rows = {"pin": [pin(1)], "geo": [geo(1)], "user": [user(1)]}
    write_cleaned(lake, reference.cleaned(raw))
    return lake


def test_query_reads_pinned_versions_and_commits_once_with_metadata(lake: Lake) -> None:
    query, versions = QUERIES[AGE_GROUP], {name: lake.require(f"cleaned/{name}").version for name in ("pin", "user")}
    write_deltalake(
        lake.load("cleaned/user").delta, rows(lake.require("cleaned/user").delta).slice(0, 0), mode="overwrite"
    )
    assert lake.require("cleaned/user").rows == 0
    EMBEDDED.run_query(lake, query, versions, '{"number": 1}')
    table = lake.require(query.key)
    assert (table.version, table.last_commit.metadata) == (0, {"number": 1})
    assert rows(table.delta).to_pylist() == [{"age_group": "36-50", "median_follower_count": 12_000.0}]
    EMBEDDED.run_query(lake, query, {**versions, "user": versions["user"] + 1}, '{"number": 2}')
    table = lake.require(query.key)
    assert (table.version, table.last_commit.metadata, table.rows) == (1, {"number": 2}, 0)


@pytest.mark.parametrize("key", ["cleaned/pin", f"queries/{AGE_GROUP}"])
def test_query_with_upgraded_table_raises(lake: Lake, key: str) -> None:
    result(lake, EMBEDDED, AGE_GROUP)
    upgraded = lake.load(key).delta
    upgraded.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    with pytest.raises(UnsupportedProtocolError, match=rf"{key}/: expected .* \(1, 2\), found \(3, 7\): set"):
        result(lake, EMBEDDED, AGE_GROUP)


def test_query_does_not_import_spark() -> None:
    code = "import sys, pin_pipeline.batch.engines.embedded_queries; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_queries_over_1_000_posts_print_their_time(settings: Settings) -> None:
    raw: Rows = {
        "pin": [pin(key, follower_count=str(key * 7919 % 5_000), category=f"c{key % 12}") for key in range(1_000)],
        "geo": [geo(key, country=str(key % 190), timestamp=f"{2017 + key % 7}-03-01 10:00:00") for key in range(1_000)],
        "user": [user(key, age=15 + key % 50, date_joined=f"{2014 + key % 8}-03-01 10:00:00") for key in range(1_000)],
    }
    tables = reference.cleaned(raw)
    expected = {f"queries/{name}": len(result) for name, result in reference.queries(tables).items()}
    for _ in range(2):  # the second time, the result tables exist
        write_cleaned(Lake.of(settings), tables, mode="overwrite")
        started = time.monotonic()
        reports = list(run_queries(EMBEDDED, Lake.of(settings), list(QUERIES.values())))
        print(f"ten queries over 1,000 posts: {time.monotonic() - started:.2f} s")
        assert {report.key: report.rows for report in reports} == expected
        assert all(report.metadata["recomputed"] for report in reports)
