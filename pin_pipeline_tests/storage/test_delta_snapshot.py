"""What is known of a table without Spark: how far it has come, whoever else commits, and whether it has changed."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import PROPERTIES, Lake

ROWS = pa.table({"ind": [1]})


def test_the_last_commit_of_ours_is_found_behind_those_of_others(settings: Settings) -> None:
    lake = Lake.of(settings)
    assert lake.ensure("t", SOURCE_POSITION, PROPERTIES, '{"batch": 7}').last_commit.metadata == {"batch": 7}
    for version in (1, 2):
        lake.write("t", ROWS)
        table = lake.existing("t")
        assert (table.version, table.last_commit.metadata) == (version, {"batch": 7})


def test_a_table_that_we_have_never_written_to_is_named_with_what_to_do(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.write("t", ROWS)
    with pytest.raises(ValueError, match=r"none of the last 100 commits of .*/lake/t/ was made by this pipeline"):
        _ = lake.existing("t").last_commit


def test_a_snapshot_tells_nothing_of_the_commits_made_since(settings: Settings) -> None:
    lake = Lake.of(settings)
    before = lake.ensure("t", SOURCE_POSITION, PROPERTIES, '{"batch": 7}')
    ours = CommitProperties(custom_metadata={"userMetadata": '{"batch": 8}'})
    write_deltalake(
        Lake.of(settings).existing("t").delta, ROWS, mode="overwrite", schema_mode="overwrite", commit_properties=ours
    )
    assert [commit.metadata for commit in before.commits()] == [{"batch": 7}]
    assert [commit.metadata for commit in lake.existing("t").commits()] == [{"batch": 8}, {"batch": 7}]


def test_a_table_is_opened_once_as_long_as_nobody_commits(settings: Settings) -> None:
    lake = Lake.of(settings)
    assert lake.snapshot("t") is None
    lake.write("t", ROWS)
    assert lake.existing("t") is lake.existing("t")


def test_a_commit_of_another_process_is_seen_at_once(settings: Settings) -> None:
    lake, other = Lake.of(settings), Lake.of(settings)
    assert lake.snapshot("t") is None
    seen = []
    for rows in (1, 2, 3):
        other.write("t", pa.table({"ind": range(rows)}))
        seen.append(lake.existing("t"))
    assert [(table.version, table.rows) for table in seen] == [(0, 1), (1, 2), (2, 3)]


def test_maintenance_of_another_process_is_seen_at_once(settings: Settings) -> None:
    lake, other = Lake.of(settings), Lake.of(settings)
    for number in range(12):
        other.write("t", pa.table({"ind": [number]}))
    before = lake.existing("t")
    table = other.existing("t").delta
    table.create_checkpoint()
    table.cleanup_metadata()
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    after = lake.existing("t")
    assert after.version > before.version
    assert after.query("select * from t").to_pylist() == [{"ind": 11}]


def test_a_lake_beside_another_knows_nothing_of_its_tables(settings: Settings) -> None:
    lake = Lake.of(settings)
    lake.write("t", ROWS)
    assert lake.snapshot("t") is not None
    assert replace(lake, root="beside").snapshot("t") is None


def test_columns_that_a_table_lacks_are_added_behind_the_back_of_no_snapshot(settings: Settings) -> None:
    lake, some = Lake.of(settings), SOURCE_POSITION[:2]
    before = lake.ensure("t", some, PROPERTIES, "{}")
    after = lake.ensure("t", SOURCE_POSITION, PROPERTIES, "{}")
    columns = [[field.name for field in table.delta.schema().fields] for table in (before, after)]
    assert columns == [[column.name for column in of] for of in (some, SOURCE_POSITION)]
    assert lake.ensure("t", SOURCE_POSITION, PROPERTIES, "{}") is after
