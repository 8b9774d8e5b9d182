"""The commit that tells how far a table has come, beside those of others."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.tables import PROPERTIES
from pin_pipeline.records.positions import SOURCE_POSITION

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
