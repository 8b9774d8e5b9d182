"""Query runner: the results of the ten queries against a reference, and recomputation on changed inputs."""

from __future__ import annotations

import time
from threading import Event
from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.parallel import in_parallel
from pin_pipeline.batch.queries import QUERIES, Query
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.records import Column
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake, NoSuchTableError, delta_schema
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table
from pin_pipeline_tests.batch.edge_case_rows import edge_case_rows
from pin_pipeline_tests.helpers import reference
from pin_pipeline_tests.helpers.rows import geo, pin, user

Engine = BatchEngine[Any]
# One query for each combination of input tables.
ONE_PER_INPUTS = tuple({query.inputs: query.name for query in QUERIES.values()}.values())

SECONDS_TO_TERMINATE = 10


def run(settings: Settings, engine: Engine, *names: str) -> dict[str, Report]:
    queries = [QUERIES[name] for name in names or QUERIES]
    return {report.key: report for report in run_queries(engine, Lake.of(settings), queries)}


def test_query_results_equal_reference_and_declared_columns(
    settings: Settings, embedded_engine: EmbeddedEngine
) -> None:
    """Compare the results of the embedded engine; `test_embedded_queries.py` compares them with those of Spark."""
    rows = edge_case_rows()
    for record_type, records in rows.items():
        put(settings, record_type, records)
    run_clean(settings, embedded_engine)
    reports = run(settings, embedded_engine)
    expected = reference.queries(reference.cleaned(rows))
    assert set(expected) == set(QUERIES)
    for name, query in QUERIES.items():
        found = [tuple(row[column.name] for column in query.columns) for row in table(settings, query.key)]
        assert sorted(found) == sorted(expected[name]), name
        assert reports[query.key].rows == len(found) > 0
        columns = [
            (field.name, field.type, field.metadata)
            for field in Lake.of(settings).require(query.key).delta.schema().fields
        ]
        assert columns == [(each.name, each.type, each.metadata) for each in delta_schema(query.columns).fields]


@pytest.fixture
def one_post(settings: Settings, engine: Engine) -> Settings:
    """A lake with one post."""
    for record_type, row in {"pin": pin(1), "geo": geo(1), "user": user(1)}.items():
        put(settings, record_type, [row])
    run_clean(settings, engine)
    return settings


def test_query_runner_recomputes_only_when_inputs_change(one_post: Settings, engine: Engine) -> None:
    run(one_post, engine, *ONE_PER_INPUTS)
    reports = run(one_post, engine, *ONE_PER_INPUTS)
    assert {report.metadata["recomputed"] for report in reports.values()} == {0}
    put(one_post, "user", [user(1, age=60)], first=1)
    run_clean(one_post, engine)
    reports = run(one_post, engine, *ONE_PER_INPUTS)
    recomputed = {key for key, report in reports.items() if report.metadata["recomputed"]}
    assert recomputed == {QUERIES[name].key for name in ONE_PER_INPUTS if "user" in QUERIES[name].inputs} < set(reports)


def test_query_runner_runs_single_query_readable_without_spark(one_post: Settings, engine: Engine) -> None:
    key = "queries/median_followers_by_age_group"
    assert set(run(one_post, engine, "median_followers_by_age_group")) == {key}
    assert table(one_post, key) == [{"age_group": "36-50", "median_follower_count": 12_000.0}]
    assert Lake.of(one_post).snapshot("queries/posts_by_category_and_year") is None


def test_interrupted_query_is_cancelled_in_time_and_writes_no_result(one_post: Settings, engine: Engine) -> None:
    endless = Query("endless", "", ("user",), (Column(name="numbers", type="bigint", description=""),))
    vars(endless)["sql"] = "select count(*) as numbers from range(1000000000000)"
    lake, begun = Lake.of(one_post), Event()

    def run_endless() -> None:
        begun.set()
        engine.run_query(lake, endless, {"user": 1}, "{}")

    tasks: Any = in_parallel([lambda: begun.wait(10), run_endless], engine.cancel)
    assert next(tasks) is True
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        tasks.throw(KeyboardInterrupt)
    assert time.monotonic() - started < SECONDS_TO_TERMINATE
    assert lake.snapshot(endless.key) is None


def test_query_runner_without_input_table_names_asset_to_materialize(settings: Settings, engine: Engine) -> None:
    with pytest.raises(
        NoSuchTableError,
        match=r"^table 'cleaned/user' does not exist at s3://.*/lake/cleaned/user: materialize cleaned/user first$",
    ):
        run(settings, engine, "users_joined_by_year")
