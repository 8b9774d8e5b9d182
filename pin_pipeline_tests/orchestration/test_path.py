"""The path end to end: source database, emulator, gateway, Kafka, S3, Delta, answers."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from pin_pipeline.emulation.draws import Draws
from pin_pipeline.emulation.source import SourceDatabase
from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.queries import QUERIES
from pin_pipeline.records import KINDS
from pin_pipeline_tests import reference
from pin_pipeline_tests.orchestration.conftest import Run
from pin_pipeline_tests.rows import geo
from pin_pipeline_tests.topics import produce

DRAWS = 400
EMULATION = {"post": {"config": {"draws": DRAWS, "seed": 7}}}


def drawn_rows(source: str) -> dict[str, list[dict[str, Any]]]:
    database, draws = SourceDatabase(source), Draws(DRAWS, seed=7)
    return {kind: list(database.rows(kind, (draw.position for draw in draws))) for kind in KINDS}


def totals(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    [event] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey.from_user_string(key)
    ]
    names = ("landed", "published", "superseded", "quarantined", "unaccounted")
    return {name: event.metadata[name].value for name in names}


def rows_of(settings: Settings, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Lake.of(settings).query(key, "select * from t").to_pylist()
    return rows


def versions(settings: Settings) -> dict[str, int | None]:
    keys = [*(f"cleaned/{kind}" for kind in KINDS), *(query.key for query in QUERIES.values())]
    return {key: Lake.of(settings).version(key) for key in keys}


def test_the_day_gives_what_an_independent_computation_gives_and_again_changes_nothing(
    settings: Settings, source: str, run: Run
) -> None:
    assert run("emulation", ops=EMULATION).success
    day = run("daily_batch")
    assert day.success
    drawn = drawn_rows(source)
    expected = reference.cleaned(drawn)
    for kind, definition in KINDS.items():
        columns = [column.name for column in definition.columns]
        found = {row["ind"]: {name: row[name] for name in columns} for row in rows_of(settings, f"cleaned/{kind}")}
        assert found == {key: {name: row[name] for name in columns} for key, row in expected[kind].items()}
        count = len(expected[kind])
        assert totals(day, f"cleaned/{kind}") == {
            "landed": DRAWS,
            "published": count,
            "superseded": DRAWS - count,
            "quarantined": 0,
            "unaccounted": 0,
        }
    answers = reference.queries(expected)
    for query in QUERIES.values():
        answer = [tuple(row[column.name] for column in query.columns) for row in rows_of(settings, query.key)]
        assert sorted(answer, key=str) == sorted(answers[query.name], key=str)
    before = versions(settings)
    assert run("daily_batch").success
    assert versions(settings) == before


def test_a_single_asset_can_be_materialized_alone(settings: Settings, run: Run) -> None:
    produce(settings, "geo", [geo(1), geo(2), b"no json"])
    assert run(None, "raw/geo").success
    result = run(None, "cleaned/geo")
    assert result.success
    assert totals(result, "cleaned/geo") == {
        "landed": 3,
        "published": 2,
        "superseded": 0,
        "quarantined": 1,
        "unaccounted": 0,
    }
    assert {key for key, version in versions(settings).items() if version is not None} == {"cleaned/geo"}


def test_a_row_that_was_lost_fails_its_check_and_stops_the_queries(
    settings: Settings, run: Run, spark: SparkSession
) -> None:
    assert run("emulation", ops={"post": {"config": {"draws": 20}}}).success
    assert run("daily_batch").success
    before = versions(settings)
    DeltaTable.forPath(spark, Lake.of(settings).path("cleaned/user")).delete("source_offset = 0")
    day = run("daily_batch")
    assert not day.success
    failed = {event.check_name for event in day.get_asset_check_evaluations() if not event.passed}
    assert failed == {"every_record_accounted_for"}
    assert not [event for event in day.all_events if event.is_step_start and event.step_key == "queries"]
    assert versions(settings) | {"cleaned/user": 0} == before | {"cleaned/user": 0}


def test_a_topic_that_is_away_fails_its_raw_asset_and_nothing_downstream_runs(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_PREFIX", "nobody")
    day = run("daily_batch")
    assert not day.success
    assert {event.step_key for event in day.all_events if event.is_step_failure} == {
        "raw__pin",
        "raw__geo",
        "raw__user",
    }
    assert not any(versions(settings).values())
