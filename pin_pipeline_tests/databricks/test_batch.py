"""Daily batch on Databricks: the same tables and events as with Spark in the process of the run."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.databricks.run_reports import LINK
from pin_pipeline.local import s3
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import table_name
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.batch.edge_case_rows import edge_case_rows
from pin_pipeline_tests.databricks.catalog_api import CATALOG
from pin_pipeline_tests.databricks.conftest import Resources, materialize, resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.databricks.local_clusters import MULTI_PROCESS_CONF

TABLES = (
    *(f"cleaned/{record_type}" for record_type in RECORD_TYPES),
    *(f"quarantine/{record_type}" for record_type in RECORD_TYPES),
    *(query.key for query in QUERIES.values()),
)
REJECTED: tuple[bytes, dict[str, Any]] = (b"no json", {})
CLOCK_COLUMNS = {"first_seen"}
"""Columns that differ between two runs."""
RUN_METADATA = {"seconds", "engine_reason", LINK}
"""Metadata entries that differ between two runs."""


def with_other_bucket(settings: Settings) -> Settings:
    """Create another bucket for the same topics, for Spark in the process of the run."""
    other = settings.model_copy(update={"bucket": f"{settings.bucket}-local"})
    s3.create_bucket(other.s3_endpoint_url, other.bucket)
    return other


def cells(settings: Settings, key: str) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """Return the columns of a table with their types, and its rows in a fixed order."""
    table = Lake.of(settings).require(key)
    rows = [
        {name: value for name, value in row.items() if name not in CLOCK_COLUMNS}
        for row in table.query("select * from t").to_pylist()
    ]
    return [(field.name, str(field.type)) for field in table.delta.schema().fields], sorted(rows, key=str)


def events(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return the materializations and check results of a run."""
    materialized = {
        event.asset_key: comparable(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
    }
    checked = {
        (event.asset_key, event.check_name): (event.passed, event.severity, comparable(event.metadata))
        for event in result.get_asset_check_evaluations()
    }
    return {"materialized": materialized, "checked": checked}


def comparable(metadata: Any) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in RUN_METADATA}


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("clusters", [MULTI_PROCESS_CONF], indirect=True)
@pytest.mark.parametrize("catalog", [CATALOG])
def test_daily_batch_on_a_multi_process_cluster_produces_the_local_tables_and_events(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    local_settings = with_other_bucket(settings)
    rows = edge_case_rows()
    for target in (settings, local_settings):
        # The table of pins exists, and the new pins have its keys. All topics have rejected records.
        put(target, "pin", [*rows["pin"], *REJECTED])
        assert materialize(resources(target, "embedded"), instance, "cleaned/pin").success
        for record_type, values in rows.items():
            put(target, record_type, [*values, *REJECTED], first=1000)
    on_databricks = materialize(remote, instance)
    local = materialize(resources(local_settings), instance)
    assert on_databricks.success
    assert local.success
    assert events(on_databricks) == events(local)
    for key in TABLES:
        assert cells(settings, key) == cells(local_settings, key), key
    assert len(workspace.runs) == 2, "one for the cleaned tables, and one for the queries"
    links = {event.materialization.metadata[LINK].value for event in on_databricks.get_asset_materialization_events()}
    assert {str(link).rpartition("#job/run/")[2] for link in links} == {str(run_id) for run_id in workspace.runs}
    tables = [key for key in TABLES if not key.startswith("quarantine/")]
    assert set(workspace.catalog.tables) == {table_name(key, CATALOG) for key in tables}
