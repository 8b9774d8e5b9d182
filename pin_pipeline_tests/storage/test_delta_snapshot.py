"""Tables without Spark: their progress after commits of other writers, and the cache of opened tables."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.delta_snapshot import UnknownProgressError
from pin_pipeline.storage.lake import PROPERTIES, Lake

ROWS = pa.table({"ind": [1]})


def test_last_commit_skips_commits_of_other_writers(settings: Settings) -> None:
    lake = Lake.of(settings)
    assert lake.ensure_table("t", SOURCE_POSITION, PROPERTIES, '{"batch": 7}').last_commit.metadata == {"batch": 7}
    for version in (1, 2):
        lake.overwrite("t", ROWS)
        table = lake.require("t")
        assert (table.version, table.last_commit.metadata) == (version, {"batch": 7})


def test_last_commit_is_found_after_any_number_of_commits_and_metadata_of_other_writers(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.ensure_table("t", SOURCE_POSITION, PROPERTIES, '{"batch": 7}')
    for metadata in ("nightly job", "[]", *["7"] * 99):
        properties = CommitProperties(custom_metadata={"userMetadata": metadata})
        write_deltalake(
            lake.load("t").delta, ROWS, mode="overwrite", schema_mode="overwrite", commit_properties=properties
        )
    table = lake.require("t")
    assert (table.version, table.last_commit.metadata) == (101, {"batch": 7})


def test_last_commit_of_foreign_table_is_an_error_with_advice(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.overwrite("t", ROWS)
    with pytest.raises(
        UnknownProgressError,
        match=r"^the log of .*/lake/t/ has no commit of this pipeline, so its progress is unknown: "
        r"move the table elsewhere and materialize it again from the landed objects$",
    ):
        _ = lake.require("t").last_commit


def test_snapshot_excludes_later_commits(settings: Settings) -> None:
    lake = Lake.of(settings)
    before = lake.ensure_table("t", SOURCE_POSITION, PROPERTIES, '{"batch": 7}')
    properties = CommitProperties(custom_metadata={"userMetadata": '{"batch": 8}'})
    table = Lake.of(settings).require("t").delta
    write_deltalake(table, ROWS, mode="overwrite", schema_mode="overwrite", commit_properties=properties)
    assert [commit.metadata for commit in before.commits()] == [{"batch": 7}]
    assert [commit.metadata for commit in lake.require("t").commits()] == [{"batch": 8}, {"batch": 7}]


@pytest.mark.parametrize(
    ("rows", "shown", "last"), [(5, 5, ""), (6, 5, "5 of 6 rows; all: `pin-pipeline show a --rows 6`")]
)
def test_preview_names_the_command_that_prints_the_other_rows(
    settings: Settings, rows: int, shown: int, last: str
) -> None:
    Lake.of(settings).overwrite("a", pa.table({"ind": list(range(rows))}))
    table, _, hint = Lake.of(settings).require("a").preview().partition("\n\n")
    assert len(table.splitlines()) == shown + 2
    assert hint == last


def test_lake_opens_unchanged_table_once(settings: Settings) -> None:
    lake = Lake.of(settings)
    assert lake.snapshot("t") is None
    lake.overwrite("t", ROWS)
    assert lake.require("t") is lake.require("t")


def test_lake_sees_commit_of_another_process(settings: Settings) -> None:
    lake, other = Lake.of(settings), Lake.of(settings)
    assert lake.snapshot("t") is None
    snapshots = []
    for rows in (1, 2, 3):
        other.overwrite("t", pa.table({"ind": range(rows)}))
        snapshots.append(lake.require("t"))
    assert [(table.version, table.rows) for table in snapshots] == [(0, 1), (1, 2), (2, 3)]


def test_lake_sees_maintenance_of_another_process(settings: Settings) -> None:
    lake, other = Lake.of(settings), Lake.of(settings)
    for number in range(12):
        other.overwrite("t", pa.table({"ind": [number]}))
    before = lake.require("t")
    table = other.require("t").delta
    table.create_checkpoint()
    table.cleanup_metadata()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    after = lake.require("t")
    assert after.version > before.version
    assert after.query("select * from t").to_pylist() == [{"ind": 11}]


def test_lake_copy_with_another_root_has_its_own_tables(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.overwrite("t", ROWS)
    assert lake.snapshot("t") is not None
    assert replace(lake, root="beside").snapshot("t") is None


def test_ensure_table_adds_missing_columns_without_changing_snapshots(settings: Settings) -> None:
    lake, few = Lake.of(settings), SOURCE_POSITION[:2]
    before = lake.ensure_table("t", few, PROPERTIES, "{}")
    after = lake.ensure_table("t", SOURCE_POSITION, PROPERTIES, "{}")
    names = [[field.name for field in table.delta.schema().fields] for table in (before, after)]
    assert names == [[column.name for column in columns] for columns in (few, SOURCE_POSITION)]
    assert lake.ensure_table("t", SOURCE_POSITION, PROPERTIES, "{}") is after
