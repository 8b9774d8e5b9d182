"""Embedded engine: commits on exactly the version whose progress was read, and what it refuses."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from subprocess import run
from typing import Any

import pytest
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from pin_pipeline.batch import progress_refresh
from pin_pipeline.batch.engines import embedded
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.embedded_records import classify_objects, collect_batch_stats, latest_accepted
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_commits import APPLICATION, CommitMetricsError, new_rows
from pin_pipeline.storage.delta_snapshot import Commit
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline.storage.protocol import UnsupportedProtocolError
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, totals
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import pin

KEY = "cleaned/pin"


def foreign_commit(lake: Lake, *transactions: Transaction) -> None:
    """Append nothing, as another writer."""
    table = lake.load(KEY).delta
    properties = CommitProperties(app_transactions=list(transactions))
    write_deltalake(
        table, lake.require(KEY).query("select * from t limit 0"), mode="append", commit_properties=properties
    )


def published(settings: Settings, *values: Any) -> Lake:
    """Publish records, and return the lake."""
    put(settings, "pin", values)
    run_clean(settings, EmbeddedEngine(), "pin")
    return Lake.of(settings)


def test_embedded_engine_imports_neither_spark_nor_sql_engines() -> None:
    code = "import sys, pin_pipeline.batch.engines.embedded; print(*(name.split('.')[0] for name in sys.modules))"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyspark", "delta", "py4j", "duckdb", "sqlglot", "dagster"} & set(loaded)


def test_publish_after_another_run_is_a_conflict(settings: Settings) -> None:
    lake, engine, store = published(settings, pin(1)), EmbeddedEngine(), ObjectStore.of(settings)
    progress = CleaningProgress.of(lake.require(KEY))
    put(settings, "pin", [pin(2)], first=1)
    names = [name for name, _ in progress.new_objects(store, settings.topic("pin"))]
    run_clean(settings, engine, "pin")
    version = lake.require(KEY).version
    records = classify_objects(PIN, store, names)
    with pytest.raises(
        CommitFailedError, match=r"^could not commit batch 2 to .*: expected batch 1 in version 2, found 2"
    ):
        engine.publish(PIN, lake, records, progress.after(names, collect_batch_stats(records)), 1)
    assert lake.require(KEY).version == version


def test_publish_of_a_committed_batch_number_is_a_conflict(settings: Settings) -> None:
    lake = published(settings, pin(1))
    foreign_commit(lake, Transaction(APPLICATION, 2))
    put(settings, "pin", [pin(2)], first=1)
    with pytest.raises(CommitFailedError, match=r"found 1 in its progress and 2 in its transactions; rerun$"):
        run_clean(settings, EmbeddedEngine(), "pin")


def test_commits_of_other_writers_between_progress_and_publish_change_nothing(settings: Settings) -> None:
    lake = published(settings, pin(1))
    put(settings, "pin", [pin(1), pin(2)], first=1)
    foreign_commit(lake)
    assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (3, 2, 1, 0, 0)


def test_lost_race_for_a_version_is_repeated_with_its_progress(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = published(settings, pin(1))
    put(settings, "pin", [pin(2), b"no json"], first=1)
    original, calls = EmbeddedEngine.publish, []

    def publish(engine: EmbeddedEngine, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            original(engine, *arguments)  # as another run that commits first
        original(engine, *arguments)

    monkeypatch.setattr(EmbeddedEngine, "publish", publish)
    assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (3, 2, 0, 1, 0)
    assert (len(calls), lake.require(KEY).version) == (1, 2)


@pytest.mark.parametrize("key", [1, 3], ids=["existing-key", "new-keys"])
def test_commit_of_another_writer_while_publishing_is_a_conflict_that_is_repeated(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, key: int
) -> None:
    lake = published(settings, pin(1))
    put(settings, "pin", [pin(key, title="newer"), pin(2)], first=1)
    original, calls = latest_accepted, []

    def latest_accepted_late(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            foreign_commit(lake)  # after the version to commit on was read
        return original(*arguments)

    monkeypatch.setattr(embedded, "latest_accepted", latest_accepted_late)
    expected = (3, 2, 1, 0, 0) if key == 1 else (3, 3, 0, 0, 0)
    assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == expected
    assert (len(calls), lake.require(KEY).version) == (2, 3)


def test_concurrent_runs_merge_each_record_once(settings: Settings) -> None:
    published(settings, pin(1), b"no json")
    put(settings, "pin", [pin(1, title="newer"), pin(2), b"none either"], first=2)
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: run_clean(settings, EmbeddedEngine(), "pin")[KEY], range(3)))
    assert [totals(report) for report in reports] == [(5, 2, 1, 2, 0)] * 3
    assert Lake.of(settings).require(KEY).version == 2


@pytest.mark.parametrize(
    "values", [[pin(1)] * 3, [b"no json"], [pin(1, title="late")]], ids=["same", "rejected", "late"]
)
def test_batch_that_changes_no_row_commits_its_progress(settings: Settings, values: list[Any]) -> None:
    put(settings, "pin", [pin(1)], first=10)
    run_clean(settings, EmbeddedEngine(), "pin")
    put(settings, "pin", values, partition=1)
    run_clean(settings, EmbeddedEngine(), "pin")
    table = Lake.of(settings).require(KEY)
    progress = CleaningProgress.of(table)
    assert (progress.batch, progress.landed) == (2, 1 + len(values))
    assert (table.version, table.rows, table.delta.transaction_version(APPLICATION)) == (2, 1, 2)


def test_batch_is_limited_by_the_size_of_its_objects(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [pin(1), pin(2), b"no json", pin(1, title="newer"), pin(3)]
    put(settings, "pin", values, size=1)
    [first, *_] = [size for _, size in CleaningProgress().new_objects(ObjectStore.of(settings), settings.topic("pin"))]
    for limit, batches in ((1, 5), (2 * first, 3)):
        ObjectStore.of(settings).delete_prefix("lake/")
        monkeypatch.setattr(EmbeddedEngine, "max_batch_bytes", limit)
        assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (5, 3, 1, 1, 0)
        assert CleaningProgress.of(Lake.of(settings).require(KEY)).batch == batches


def test_batch_of_new_keys_leaves_existing_files_as_they_are(settings: Settings) -> None:
    lake = published(settings, pin(1), pin(5))
    [existing] = lake.require(KEY).delta.file_uris()
    for first, key, files in ((2, 3, 2), (3, 5, 2)):
        put(settings, "pin", [pin(key, title="later")], first=first)
        run_clean(settings, EmbeddedEngine(), "pin")
        uris = lake.require(KEY).delta.file_uris()
        assert (len(uris), existing in uris) == (files, key == 3)
    titles = lake.require(KEY).query("select ind, title from t order by ind").to_pylist()
    assert [(row["ind"], row["title"]) for row in titles] == [(1, "Pin 1"), (3, "later"), (5, "later")]


def test_upgraded_protocol_is_refused_in_one_sentence(settings: Settings) -> None:
    lake = published(settings, pin(1))
    lake.load(KEY).delta.alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
    put(settings, "pin", [pin(2)], first=1)
    with pytest.raises(UnsupportedProtocolError, match=r"expected Delta protocol versions \(1, 2\)"):
        run_clean(settings, EmbeddedEngine(), "pin")


def test_new_rows_are_read_from_the_metrics_of_both_writers() -> None:
    commit = Commit(
        3, datetime(2026, 1, 1, tzinfo=UTC), "MERGE", {}, {"numTargetRowsInserted": "2", "numOutputRows": "9"}
    )
    delta_rs = replace(commit, metrics={"num_target_rows_inserted": 2, "num_output_rows": 9})
    write = replace(commit, operation="WRITE", metrics={"num_added_rows": 2})
    assert [new_rows(each) for each in (commit, delta_rs, write)] == [2, 2, 2]
    assert new_rows(replace(commit, operation="CREATE TABLE", metrics={})) == 0
    for unknown in (replace(commit, operation="RESTORE"), replace(write, metrics={})):
        with pytest.raises(CommitMetricsError, match=f"of the '{unknown.operation}' commit at 2026-01-01"):
            new_rows(unknown)


@pytest.mark.parametrize("limit", ["MAX_AGE", "MAX_FOREIGN_COMMITS"])
def test_progress_is_committed_again_after_commits_of_other_writers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    lake = published(settings, pin(1), pin(1), b"no json")
    before = CleaningProgress.of(lake.require(KEY))
    monkeypatch.setattr(progress_refresh, limit, timedelta(0) if limit == "MAX_AGE" else 0)
    assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (3, 1, 1, 1, 0)
    assert lake.require(KEY).version == 1  # no other writer, nothing to refresh
    foreign_commit(lake)
    with crash_at(progress_refresh, "write_deltalake", done=False):
        run_clean(settings, EmbeddedEngine(), "pin")
    for _ in range(2):
        assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (3, 1, 1, 1, 0)
    table = lake.require(KEY)
    assert (table.version, table.last_commit.version) == (3, 3)
    assert CleaningProgress.of(table) == replace(before, batch=2)
    put(settings, "pin", [pin(2)], first=3)
    assert totals(run_clean(settings, EmbeddedEngine(), "pin")[KEY]) == (4, 2, 1, 1, 0)
