"""Pipeline end to end: source database, emulator, gateway, Kafka, S3, Delta tables and queries."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local import servers
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import redefined
from pin_pipeline_tests.defs.conftest import Run
from pin_pipeline_tests.helpers import reference
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

DRAWS = 400
LANDED_AND_CLEANED = (
    *(f"{step}/{record_type}" for step in ("raw", "cleaned") for record_type in RECORD_TYPES),
    "quarantine/summary",
)
"""Assets of the daily batch without the queries, which take most of its time."""
EMULATION = {"post": {"config": {"draws": DRAWS, "seed": 7, "target": "kafka"}}}


def drawn_rows(source: str) -> dict[str, list[dict[str, Any]]]:
    database, draws = SourceDatabase(source), Draws(DRAWS, seed=7)
    return {
        record_type: list(database.rows(record_type, (draw.position for draw in draws))) for record_type in RECORD_TYPES
    }


def totals(result: dg.ExecuteInProcessResult, key: str) -> tuple[Any, ...]:
    """Return the numbers of landed, published, superseded, quarantined and unreconciled records."""
    [event] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey.from_user_string(key)
    ]
    names = ("landed", "published", "superseded", "quarantined", "unreconciled")
    return tuple(event.metadata[name].value for name in names)


def rows_of(settings: Settings, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Lake.of(settings).require(key).query("select * from t").to_pylist()
    return rows


def versions(settings: Settings) -> dict[str, int | None]:
    keys = [*(f"cleaned/{record_type}" for record_type in RECORD_TYPES), *(query.key for query in QUERIES.values())]
    tables = {key: Lake.of(settings).snapshot(key) for key in keys}
    return {key: None if table is None else table.version for key, table in tables.items()}


def test_daily_batch_matches_an_independent_computation_and_changes_nothing_the_second_time(
    settings: Settings, source: str, run: Run
) -> None:
    assert run("emulation", ops=EMULATION).success
    batch = run("daily_batch")
    assert batch.success
    drawn = drawn_rows(source)
    expected = reference.cleaned(drawn)
    for record_type, definition in RECORD_TYPES.items():
        columns = [column.name for column in definition.columns]
        found = {
            row["ind"]: {name: row[name] for name in columns} for row in rows_of(settings, f"cleaned/{record_type}")
        }
        assert found == {key: {name: row[name] for name in columns} for key, row in expected[record_type].items()}
        count = len(expected[record_type])
        assert totals(batch, f"cleaned/{record_type}") == (DRAWS, count, DRAWS - count, 0, 0)
    expected_results = reference.queries(expected)
    for query in QUERIES.values():
        result = [tuple(row[column.name] for column in query.columns) for row in rows_of(settings, query.key)]
        assert sorted(result, key=str) == sorted(expected_results[query.name], key=str)
    before = versions(settings)
    assert run("daily_batch").success
    assert versions(settings) == before


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("target", "written"),
    [
        ({}, {"topics", "kinesis"}),
        ({"target": "kafka"}, {"topics"}),
        ({"target": "posts"}, {"topics"}),
        ({"target": "kinesis"}, {"kinesis"}),
        ({"target": "files"}, set()),
    ],
    ids=["default", "kafka", "posts", "kinesis", "files"],
)
def test_emulation_reports_what_it_has_written_to(run: Run, target: dict[str, str], written: set[str]) -> None:
    posted = run("emulation", ops={"post": {"config": {"draws": 5, **target}}})
    assert posted.success
    keys = {event.asset_key.to_user_string() for event in posted.get_asset_materialization_events() if event.asset_key}
    expected = {f"{layer}/{record_type}" for layer in written for record_type in RECORD_TYPES}
    assert {key for key in keys if not key.startswith("source/")} == {"gateway/posts"} | expected


def test_single_asset_can_be_materialized_alone(settings: Settings, run: Run) -> None:
    produce(settings, "geo", [geo(1), geo(2), b"no json"])
    assert run(None, "raw/geo").success
    result = run(None, "cleaned/geo")
    assert result.success
    assert totals(result, "cleaned/geo") == (3, 2, 0, 1, 0)
    assert {key for key, version in versions(settings).items() if version is not None} == {"cleaned/geo"}


def test_lost_row_fails_its_check_and_keeps_the_queries_from_running(settings: Settings, run: Run) -> None:
    assert run("emulation", ops={"post": {"config": {"draws": 20, "target": "kafka"}}}).success
    assert run("daily_batch", *LANDED_AND_CLEANED).success
    before = versions(settings)
    Lake.of(settings).require("cleaned/user").delta.delete("source_offset = 0")
    batch = run("daily_batch")
    assert not batch.success
    failed = {event.check_name for event in batch.get_asset_check_evaluations() if not event.passed}
    assert failed == {"record_counts_reconcile"}
    assert not [event for event in batch.all_events if event.is_step_start and event.step_key == "queries"]
    assert versions(settings) | {"cleaned/user": 0} == before | {"cleaned/user": 0}


def test_missing_topic_fails_its_raw_asset_and_keeps_downstream_assets_from_running(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_PREFIX", "missing")
    batch = run("daily_batch")
    assert not batch.success
    assert {event.step_key for event in batch.all_events if event.is_step_failure} == {
        "raw__pin",
        "raw__geo",
        "raw__user",
    }
    assert not any(versions(settings).values())


def test_replay_publishes_quarantined_records_after_a_rule_was_fixed(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(settings, "pin", [pin(1, follower_count="many"), pin(2, follower_count="many"), b"no json"])
    produce(settings, "geo", [geo(1)])
    produce(settings, "user", [user(1)])
    batch = run("daily_batch", *LANDED_AND_CLEANED)
    assert batch.success, "the check quarantine_rate is not blocking"
    [rate] = [event for event in batch.get_asset_check_evaluations() if event.check_name == "quarantine_rate"]
    assert (rate.passed, rate.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (rate.metadata["share_of_pin"].value, rate.metadata["share_of_geo"].value) == (1.0, 0.0)
    assert counted_by_reason(settings) == {"invalid_value": 2, "not_json": 1}
    with monkeypatch.context() as patch:
        fixed = redefined(RECORD_TYPES["pin"], "follower_count", sentinels=("User Info Error", "many"))
        patch.setitem(RECORD_TYPES, "pin", fixed)
        replayed = run("replay_quarantine", "cleaned/pin", "quarantine/summary")
    assert replayed.success
    assert totals(replayed, "cleaned/pin") == (3, 2, 0, 1, 0)
    assert counted_by_reason(settings) == {"not_json": 1}


def counted_by_reason(settings: Settings) -> dict[str, int]:
    return {row["reason"]: row["records"] for row in rows_of(settings, "quarantine/summary")}


def test_rebuild_lands_lost_objects_again_and_recreates_the_tables(settings: Settings, run: Run) -> None:
    for first in (0, 5):
        produce(settings, "geo", [geo(number) for number in range(first, first + 5)])
        assert run(None, "raw/geo").success
    assert run(None, "cleaned/geo").success
    before = rows_of(settings, "cleaned/geo")
    store = ObjectStore.of(settings)
    store.client.delete_object(Bucket=store.bucket, Key=ObjectName("topics", settings.topic("geo"), 0, 0).key)
    rebuilt = run("rebuild", "raw/geo", "cleaned/geo", "quarantine/summary")
    assert rebuilt.success
    assert totals(rebuilt, "cleaned/geo") == (10, 10, 0, 0, 0)
    assert sorted(rows_of(settings, "cleaned/geo"), key=str) == sorted(before, key=str)


def test_reconciliation_of_another_prefix_starts_from_the_beginning(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(settings, "geo", [geo(number) for number in range(5)])
    assert run(None, "raw/geo").success
    assert run(None, "cleaned/geo").success
    other = settings.model_copy(update={"prefix": f"{settings.prefix}-other", "bucket": f"{settings.bucket}-other"})
    servers.prepare(other)
    monkeypatch.setenv("PIN_PREFIX", other.prefix)
    monkeypatch.setenv("PIN_BUCKET", other.bucket)
    produce(other, "geo", [geo(number) for number in range(7)])
    assert run(None, "raw/geo").success
    again = run(None, "cleaned/geo")
    assert again.success
    [reconciled] = [event for event in again.get_asset_check_evaluations() if event.check_name == "reconciled"]
    assert reconciled.metadata["landed"].value == 7
