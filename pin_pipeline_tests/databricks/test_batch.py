"""The daily batch on Databricks: the same tables and the same events as in process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.defs.resources.databricks import LINK
from pin_pipeline.local import s3
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import register, table_name
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.batch.test_query_runner import hard_rows
from pin_pipeline_tests.databricks.conftest import Resources, materialize, resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.databricks.machines import CLUSTER

TABLES = (
    *(f"cleaned/{record_type}" for record_type in RECORD_TYPES),
    *(f"quarantine/{record_type}" for record_type in RECORD_TYPES),
    *(query.key for query in QUERIES.values()),
)
ALL: tuple[str, ...] = ()  # where none is named
INCREMENT = ("cleaned/pin",)
# What no two runs have in common.
CLOCKS = {"first_seen"}
TIMES = {"seconds", LINK}


def beside(settings: Settings) -> Settings:
    """Another bucket with the same topics, for Spark in the process of the run."""
    here = replace(settings, bucket=f"{settings.bucket}-here")
    s3.create_bucket(here.s3_endpoint_url, here.bucket)
    return here


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
@pytest.mark.parametrize("machines", [CLUSTER], indirect=True)
@pytest.mark.parametrize("catalog", ["spark_catalog"])
def test_two_days_on_a_cluster_of_several_processes_give_the_tables_and_the_events_that_they_give_in_one(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    here = beside(settings)
    rows = hard_rows()
    for day in (0, 1):
        for record_type, values in rows.items():
            half = len(values) // 2
            for where in (settings, here):
                # The second day brings keys of the first again, and none of them is without a misfit.
                put(where, record_type, [*values[half * day :], b"no json", {}], first=1000 * day)
        assets = (ALL, INCREMENT)[day]
        there = materialize(settings, remote, instance, *assets)
        local = materialize(here, resources(here), instance, *assets)
        assert there.success
        assert local.success
        assert events(there) == events(local)
        for key in TABLES:
            assert cells(settings, key) == cells(here, key), key
    assert len(workspace.runs) == 3, "one for the cleaned tables and one for the answers, then one for a table alone"
    links = {event.materialization.metadata[LINK].value for event in there.get_asset_materialization_events()}
    assert f"#job/run/{list(workspace.runs)[-1]})" in str(links)
    assert len(links) == 1


def test_a_table_gets_its_name_in_the_catalog_once_and_is_found_by_it(
    settings: Settings, session: Callable[[], SparkSession]
) -> None:
    lake = Lake.of(settings)
    lake.write("queries/answer", pa.table({"answer": [42]}))
    for _ in range(2):
        register(session(), lake, "queries/answer", "spark_catalog")
    name = table_name("queries/answer", "spark_catalog")
    assert name == "spark_catalog.queries.answer"
    try:
        assert [row.asDict() for row in session().table(name).collect()] == [{"answer": 42}]
    finally:
        session().sql(f"drop table {name}")
    assert lake.existing("queries/answer").rows == 1, "the table has lost its name, not its rows"
