"""Vacuum: a table keeps the files of its current version and of its retention, and no others."""

from __future__ import annotations

from typing import Any

from deltalake import DeltaTable

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.batch.vacuum import VACUUM_EVERY
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, totals
from pin_pipeline_tests.helpers.rows import user

QUERY = QUERIES["users_joined_by_year"]
DAYS_OF_ENGINE = 2
TABLES = ("cleaned/user", "quarantine/user", QUERY.key)


def data_files(settings: Settings, key: str) -> int:
    """Count the data files of a table on S3, whether its current version needs them or not."""
    client = ObjectStore.of(settings).client
    listed = client.list_objects_v2(Bucket=settings.bucket, Prefix=f"lake/{key}/")["Contents"]
    return sum(each["Key"].endswith(".parquet") and "_delta_log" not in each["Key"] for each in listed)


def open_table(settings: Settings, key: str, version: int | None = None) -> DeltaTable:
    """Open a version of a table, by default the current one."""
    return DeltaTable(f"s3://{settings.bucket}/lake/{key}", version, storage_options=Lake.of(settings)._options())


def retain_nothing(settings: Settings, key: str) -> None:
    """Let a vacuum delete each file that the current version does not need."""
    table = open_table(settings, key)
    table.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})


def run_day(settings: Settings, engine: BatchEngine[Any], day: int) -> tuple[Any, ...]:
    """Land and clean a record of the same key, and a rejected one; returns the totals."""
    put(settings, "user", [user(1, first_name=f"name {day}"), b"no json"], first=2 * day)
    [report] = run_clean(settings, engine, "user").values()
    list(run_queries(engine, Lake.of(settings), [QUERY]))
    return totals(report)


def test_replaced_files_are_deleted_after_their_retention(
    settings: Settings, engine: BatchEngine[Any], embedded_engine: BatchEngine[Any]
) -> None:
    run_day(settings, embedded_engine, 0)
    for key in TABLES:
        retain_nothing(settings, key)
    for day in range(1, VACUUM_EVERY + 1):
        # Spark, which writes a checkpoint with its tenth commit, is needed only around it.
        next_engine = engine if day > VACUUM_EVERY - DAYS_OF_ENGINE else embedded_engine
        assert run_day(settings, next_engine, day) == (2 * day + 2, 1, day, day + 1, 0)
    for key in ("cleaned/user", QUERY.key):  # commits to the quarantine have replaced no files
        assert data_files(settings, key) < VACUUM_EVERY
        assert "VACUUM END" in {commit["operation"] for commit in Lake.of(settings).require(key).delta.history()}
    assert CleaningProgress.of(Lake.of(settings).require("cleaned/user")).landed == 2 * VACUUM_EVERY + 2


def test_files_within_their_retention_are_kept(settings: Settings, embedded_engine: BatchEngine[Any]) -> None:
    for day in range(VACUUM_EVERY + 1):
        run_day(settings, embedded_engine, day)
    assert data_files(settings, "cleaned/user") == VACUUM_EVERY + 1
    oldest = open_table(settings, "cleaned/user", version=1)
    assert oldest.to_pyarrow_table()["user_name"].to_pylist() == ["name 0 Lovelace"]
