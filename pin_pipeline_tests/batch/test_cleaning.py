"""Cleaning on real S3 and Delta: exactly once, in any batching, despite crashes and concurrent runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from deltalake import Field, write_deltalake
from deltalake.schema import PrimitiveType
from pyspark.sql import SparkSession

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table, totals
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import geo, pin, user

Engine = BatchEngine[Any]
PUBLISHED = "select ind, title, follower_count, source_partition, source_offset from t order by ind"
QUARANTINED = "select source_partition, source_offset, reason, field, value, bytes from t order by 1, 2"
DIRTY = [b"no json", pin(follower_count="many"), json.dumps(pin()), user(5), [pin()]]


def test_cleaning_publishes_latest_record_of_each_key_and_reconciles(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1), pin(2), *DIRTY, pin(1, title="newer")])
    report = run_clean(settings, engine, "pin")["cleaned/pin"]
    assert totals(report) == (8, 2, 1, 5, 0)
    assert all(check.passed for check in report.checks)
    assert [(row["ind"], row["title"], row["source_offset"]) for row in table(settings, "cleaned/pin", PUBLISHED)] == [
        (1, "newer", 7),
        (2, "Pin 2", 1),
    ]


def test_cleaning_quarantines_position_reason_and_original_bytes(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [b'{"index": "1\xff', pin(follower_count="many")], first=40, partition=2)
    run_clean(settings, engine, "pin")
    assert table(settings, "quarantine/pin", QUARANTINED) == [
        {
            "source_partition": 2,
            "source_offset": 40,
            "reason": "not_json",
            "field": None,
            "value": None,
            "bytes": b'{"index": "1\xff',
        },
        {
            "source_partition": 2,
            "source_offset": 41,
            "reason": "invalid_value",
            "field": "follower_count",
            "value": '"many"',
            "bytes": json.dumps(pin(follower_count="many")).encode(),
        },
    ]


def test_cleaning_reads_only_objects_since_last_commit(settings: Settings, engine: Engine) -> None:
    put(settings, "geo", [geo(1), geo(2)])
    run_clean(settings, engine, "geo")
    put(settings, "geo", [geo(2, country="Chad"), geo(3)], first=2)
    report = run_clean(settings, engine, "geo")["cleaned/geo"]
    assert {name: report.metadata[name] for name in ("new_objects", "new_landed", "new_superseded")} == {
        "new_objects": 1,
        "new_landed": 2,
        "new_superseded": 1,
    }
    assert totals(report) == (4, 3, 1, 0, 0)


def test_cleaning_without_new_objects_changes_nothing_and_starts_no_spark(settings: Settings, engine: Engine) -> None:
    put(settings, "user", [user(1), user(2)])
    first = run_clean(settings, engine, "user")["cleaned/user"]
    version = Lake.of(settings).require("cleaned/user").version

    def no_spark() -> SparkSession:
        raise AssertionError("Spark was started")

    second = run_clean(settings, SparkEngine(no_spark), "user")["cleaned/user"]
    assert (totals(second), second.metadata["new_landed"]) == (totals(first), 0)
    assert Lake.of(settings).require("cleaned/user").version == version


def test_cleaning_without_records_creates_empty_tables(settings: Settings, engine: Engine) -> None:
    reports = run_clean(settings, engine)
    assert {key: totals(report) for key, report in reports.items()} == {
        f"cleaned/{record_type}": (0, 0, 0, 0, 0) for record_type in RECORD_TYPES
    }


def test_cleaning_never_replaces_later_offset_by_earlier_one(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1, title="later")], first=10)
    run_clean(settings, engine, "pin")
    put(settings, "pin", [pin(1, title="earlier")], first=5, partition=1)
    report = run_clean(settings, engine, "pin")["cleaned/pin"]
    assert totals(report) == (2, 1, 1, 0, 0)
    assert table(settings, "cleaned/pin", "select title from t") == [{"title": "later"}]


def _mixed_records() -> list[Any]:
    random = Random(7)
    records: list[Any] = [pin(random.randrange(6), title=f"Pin at {number}") for number in range(40)]
    for number, dirty in enumerate(DIRTY):
        records.insert(number * 7, dirty)
    return records


@pytest.mark.parametrize(("cuts", "size"), [([1, 44], 1), ([15, 15, 15], 4)], ids=str)
def test_cleaning_result_is_independent_of_batching(
    settings: Settings, engine: Engine, cuts: list[int], size: int
) -> None:
    first, mixed = 0, _mixed_records()
    for cut in cuts:
        put(settings, "pin", mixed[first : first + cut], first=first, size=size)
        report = run_clean(settings, engine, "pin")["cleaned/pin"]
        first += cut
    assert totals(report) == (45, 6, 34, 5, 0)
    latest = {row["index"]: (offset, row["title"]) for offset, row in enumerate(mixed) if _is_valid(row)}
    assert {
        row["ind"]: (row["source_offset"], row["title"]) for row in table(settings, "cleaned/pin", PUBLISHED)
    } == latest
    assert [row["source_offset"] for row in table(settings, "quarantine/pin", QUARANTINED)] == [0, 7, 14, 21, 28]


def _is_valid(row: Any) -> bool:
    return isinstance(row, dict) and row.get("title", "").startswith("Pin at")


def test_cleaning_rerun_by_other_engine_after_crash_at_every_step_gives_same_tables(
    settings: Settings, engine: Engine, next_engine: Engine
) -> None:
    put(settings, "pin", [pin(1), b"no json"])
    run_clean(settings, engine, "pin")
    put(settings, "pin", [pin(1, title="newer"), b"none either", pin(2)], first=2)
    steps = [("collect_stats", True), ("add_to_quarantine", True), ("publish", False), ("publish", True)]
    for step, done in steps:
        with crash_at(engine, step, done=done):
            run_clean(settings, engine, "pin")
    report = run_clean(settings, next_engine, "pin")["cleaned/pin"]
    assert totals(report) == (5, 2, 1, 2, 0)
    assert [row["title"] for row in table(settings, "cleaned/pin", PUBLISHED)] == ["newer", "Pin 2"]


def test_cleaning_concurrent_runs_publish_each_record_once(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1), pin(2), b"no json", pin(1, title="newer")])
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: run_clean(settings, engine, "pin")["cleaned/pin"], range(3)))
    assert [totals(report) for report in reports] == [(4, 2, 1, 1, 0)] * 3
    assert Lake.of(settings).require("cleaned/pin").version == 1


def test_record_counts_reconcile_fails_on_lost_row(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1), pin(2)])
    run_clean(settings, engine, "pin")
    Lake.of(settings).require("cleaned/pin").delta.delete("ind = 2")
    report = run_clean(settings, engine, "pin")["cleaned/pin"]
    assert totals(report) == (2, 1, 0, 0, 1)
    assert [check.name for check in report.checks if not check.passed] == ["record_counts_reconcile"]


def test_record_counts_reconcile_fails_on_duplicate_row(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1), pin(2)])
    run_clean(settings, engine, "pin")
    cleaned = Lake.of(settings).require("cleaned/pin")
    write_deltalake(cleaned.delta, cleaned.query("select * from t where ind = 1"), mode="append")
    report = run_clean(settings, engine, "pin")["cleaned/pin"]
    assert totals(report) == (2, 3, 0, 0, -1)
    assert [check.name for check in report.checks if not check.passed] == ["record_counts_reconcile"]


def test_batch_checks_report_inconsistent_and_unknown_fields_with_example(settings: Settings, engine: Engine) -> None:
    records = [pin(1), pin(2, downloaded=0), pin(3, Title="again", colour="red"), pin(4, colour="blue", downloaded=0)]
    put(settings, "pin", records, first=10, partition=1)
    checks = {check.name: check for check in run_clean(settings, engine, "pin")["cleaned/pin"].checks}
    assert [name for name, check in checks.items() if not check.passed] == [
        "picture_and_its_source",
        "no_unknown_fields",
    ]
    inconsistent, unknown = checks["picture_and_its_source"].metadata, checks["no_unknown_fields"].metadata
    assert inconsistent == {"records": 4, "failed": 2, "example": "2 records, the first at partition 1, offset 11"}
    assert unknown["fields"] == (
        "* `colour`: 2 records, the first at partition 1, offset 12\n"
        "* `Title`: 1 records, the first at partition 1, offset 12"
    )
    put(settings, "pin", [pin(5)], first=14, partition=1)
    assert all(check.passed for check in run_clean(settings, engine, "pin")["cleaned/pin"].checks)


def test_columns_that_another_writer_has_added_are_kept(
    settings: Settings, engine: Engine, next_engine: Engine
) -> None:
    put(settings, "geo", [geo(1), geo(2), b"no json"])
    run_clean(settings, engine, "geo")
    lake = Lake.of(settings)
    for key in ("cleaned/geo", "quarantine/geo"):
        lake.load(key).delta.alter.add_columns([Field("note", PrimitiveType("string"))])
        lake.load(key).delta.update({"note": "'a note'"})
    put(settings, "geo", [geo(1, country="Chile"), geo(3), b"no json either"], first=3)
    for number, used in enumerate((engine, next_engine, engine)):
        report = run_clean(settings, used, "geo", replay=True)["cleaned/geo"]
        assert totals(report)[1:] == (3 + number, 1, 2 + number, 0)
        rows = table(settings, "cleaned/geo", "select ind, country, note from t order by ind")
        assert [(row["ind"], row["country"], row["note"]) for row in rows][:3] == [
            (1, "Chile", "a note"),
            (2, "Albania", "a note"),
            (3, "Albania", None),
        ]
        rejected = table(settings, "quarantine/geo", "select source_offset, note from t order by source_offset")
        assert [(row["source_offset"], row["note"]) for row in rejected][:2] == [(2, "a note"), (5, None)]
        put(settings, "geo", [geo(4 + number), b"no json again"], first=6 + 2 * number)  # only a new key


def test_spark_cleans_objects_in_batches_of_limited_size(
    settings: Settings, session: Callable[[], SparkSession]
) -> None:
    put(settings, "geo", [geo(number) for number in range(4)], size=1)
    first, second, *_ = [
        size for _, size in CleaningProgress().new_objects(ObjectStore.of(settings), settings.topic("geo"))
    ]
    report = run_clean(settings, SparkEngine(session, max_batch_bytes=first + second), "geo")["cleaned/geo"]
    assert totals(report) == (4, 4, 0, 0, 0)
    assert CleaningProgress.of(Lake.of(settings).require("cleaned/geo")).batch == 2
