"""The daily batch on Databricks: the same tables and the same events as in process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.queries import QUERIES
from pin_pipeline.local import s3
from pin_pipeline.records import KINDS
from pin_pipeline.resources.databricks import LINK
from pin_pipeline_tests.databricks.conftest import Resources, materialize, resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.lakehouse.landed import put
from pin_pipeline_tests.lakehouse.test_answer import hard_rows

TABLES = (
    *(f"cleaned/{kind}" for kind in KINDS),
    *(f"quarantine/{kind}" for kind in KINDS),
    *(query.key for query in QUERIES.values()),
)
# What no two runs have in common.
CLOCKS = {"first_seen"}
TIMES = {"seconds", LINK}


def cells(settings: Settings, key: str) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """The columns of a table with their types, and its rows in some order."""
    table = Lake.of(settings).existing(key)
    rows = [
        {name: value for name, value in row.items() if name not in CLOCKS}
        for row in table.query("select * from t").to_pylist()
    ]
    return [(field.name, str(field.type)) for field in table.delta.schema().fields], sorted(rows, key=str)


def events(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What a run said of its tables, as the UI shows it."""
    materialized = {
        event.asset_key: metadata(event.materialization.metadata) for event in result.get_asset_materialization_events()
    }
    checked = {
        (event.asset_key, event.check_name): (event.passed, event.severity, metadata(event.metadata))
        for event in result.get_asset_check_evaluations()
    }
    return {"materialized": materialized, "checked": checked}


def metadata(of: Any) -> dict[str, Any]:
    return {name: value for name, value in of.items() if name not in TIMES}


@pytest.mark.usefixtures("spark")
def test_two_days_on_databricks_give_the_tables_and_the_events_that_they_give_in_process(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    here = replace(settings, bucket=f"{settings.bucket}-here")
    s3.create_bucket(here.s3_endpoint_url, here.bucket)
    rows = hard_rows()
    for day in (0, 1):
        for kind, values in rows.items():
            half = len(values) // 2
            for where in (settings, here):
                # The second day brings keys of the first again, and none of them is without a misfit.
                put(where, kind, [*values[half * day :], b"no json", {}], first=1000 * day)
        there = materialize(settings, remote, instance)
        local = materialize(here, resources(here), instance)
        assert there.success
        assert local.success
        assert events(there) == events(local)
        for key in TABLES:
            assert cells(settings, key) == cells(here, key), key
    assert len(workspace.runs) == 4, "one for the cleaned tables and one for the answers, each day"
    links = {event.materialization.metadata[LINK].value for event in there.get_asset_materialization_events()}
    assert len(links) == 2
    assert all(f"#job/run/{run_id})" in str(links) for run_id in list(workspace.runs)[2:])
