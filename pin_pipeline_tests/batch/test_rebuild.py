"""Rebuild of the tables from the landed objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.rebuild import rebuild
from pin_pipeline.records import USER
from pin_pipeline.records.fields import Number
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import ColumnTypeError, Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import Row, put, run_clean, table, topics, totals
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import pin, user

Engine = BatchEngine[Any]
CLEANED, QUARANTINED = "select * from t order by ind", "select * from t order by source_offset"


def content(settings: Settings) -> tuple[list[Row], list[Row]]:
    return table(settings, "cleaned/pin", CLEANED), table(settings, "quarantine/pin", QUARANTINED)


def run_rebuild(settings: Settings, engine: Engine) -> Report:
    [report] = rebuild(engine, Lake.of(settings), ObjectStore.of(settings), topics(settings, "pin"))
    return report


@pytest.fixture
def history(settings: Settings, engine: Engine) -> Settings:
    put(settings, "pin", [pin(1), b"no json", pin(2)])
    run_clean(settings, engine, "pin")
    put(settings, "pin", [pin(1, title="newer"), b"none either"], first=3)
    run_clean(settings, engine, "pin")
    return settings


def test_rebuild_gives_same_content_and_cleaning_continues_after_it(history: Settings, engine: Engine) -> None:
    before = content(history)
    assert totals(run_rebuild(history, engine)) == (5, 2, 1, 2, 0)
    assert content(history) == before
    assert not ObjectStore.of(history).client.list_objects_v2(Bucket=history.bucket, Prefix="rebuild/")["KeyCount"]
    put(history, "pin", [pin(3), b"nothing"], first=5)
    assert totals(run_clean(history, engine, "pin")["cleaned/pin"]) == (7, 3, 1, 3, 0)


def test_column_of_another_type_is_refused_until_the_table_is_rebuilt(settings: Settings, engine: Engine) -> None:
    age = Number(name="age", description="Age in years.", minimum=0, maximum=150)
    fields = tuple(age if field.name == "age" else field for field in USER.fields)
    columns = tuple(replace(column, type="double") if column.name == "age" else column for column in USER.columns)
    changed = replace(USER, fields=fields, columns=columns)
    put(settings, "user", [user(1, age=36)])
    run_clean(settings, engine, USER)
    put(settings, "user", [user(2, age=36.5)], first=1)
    with pytest.raises(ColumnTypeError, match="column age of cleaned/user is not of type double"):
        run_clean(settings, engine, changed)
    assert [row["ind"] for row in table(settings, "cleaned/user")] == [1]
    [report] = rebuild(engine, Lake.of(settings), ObjectStore.of(settings), topics(settings, changed))
    assert totals(report) == (2, 2, 0, 0, 0)
    assert table(settings, "cleaned/user", "select age from t order by ind") == [{"age": 36.0}, {"age": 36.5}]


def test_rebuild_restores_lost_rows(history: Settings, engine: Engine) -> None:
    before, lake = content(history), Lake.of(history)
    for key in ("cleaned/pin", "quarantine/pin"):
        lake.require(key).delta.delete("source_offset < 3")
    assert totals(run_clean(history, engine, "pin")["cleaned/pin"])[-1] != 0
    assert totals(run_rebuild(history, engine)) == (5, 2, 1, 2, 0)
    (cleaned, quarantined), (restored, in_quarantine) = before, content(history)
    assert restored == cleaned
    assert [{**row, "first_seen": None} for row in in_quarantine] == [
        {**row, "first_seen": None} for row in quarantined
    ]


def test_rebuild_is_atomic_for_readers_and_can_be_rerun_by_other_engine_after_crash(
    history: Settings, engine: Engine, next_engine: Engine
) -> None:
    before = content(history)
    version = Lake.of(history).require("cleaned/pin").version
    for step in ("publish", "replace_cleaned"):
        with crash_at(engine, step, done=False):
            run_rebuild(history, engine)
        assert (content(history), Lake.of(history).require("cleaned/pin").version) == (before, version)
    assert totals(run_rebuild(history, next_engine)) == (5, 2, 1, 2, 0)
    assert content(history) == before
    assert Lake.of(history).require("cleaned/pin").version == version + 1
