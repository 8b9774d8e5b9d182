"""Registration of tables in Unity Catalog: by its API for batch tables, and by Spark for those of the streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import dagster as dg
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructField, StructType

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.databricks.catalog import UnityCatalog
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import register, table_name
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.databricks.catalog_api import CATALOG
from pin_pipeline_tests.databricks.conftest import materialize, remote_resources, workspace_resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.helpers.rows import geo, pin, user

KEYS = [*(f"cleaned/{record_type}" for record_type in RECORD_TYPES), *(query.key for query in QUERIES.values())]


@pytest.fixture
def catalog(settings: Settings, workspace: Workspace) -> Iterator[UnityCatalog]:  # noqa: ARG001 - found by environment variables
    """The catalog of the workspace."""
    with dg.build_resources(workspace_resources(settings)) as resources:
        yield UnityCatalog(resources.batch.databricks.workspace(5), CATALOG)


def test_embedded_steps_register_their_tables_as_spark_reads_them(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance, spark: SparkSession
) -> None:
    for record_type, row in {"pin": pin, "geo": geo, "user": user}.items():
        put(settings, record_type, [row(1)])
    resources = remote_resources(settings.model_copy(update={"catalog": CATALOG}), "embedded")
    assert materialize(resources, instance).success
    assert workspace.runs == {}
    assert workspace.catalog.tables.keys() == {table_name(key, CATALOG) for key in KEYS}
    for name, table in workspace.catalog.tables.items():
        location = table["storage_location"].replace("s3://", "s3a://")
        stored = spark.read.format("delta").load(location).schema
        assert StructType([StructField.fromJson(json.loads(each["type_json"])) for each in table["columns"]]) == stored
        columns = ", ".join(
            f"`{each['name']}` {each['type_text']} comment {json.dumps(each['comment'])}" for each in table["columns"]
        )
        # Spark refuses columns that differ from those of the table.
        spark.sql(f"create table {name.replace('.', '_')} ({columns}) using delta location '{location}'")
        spark.sql(f"drop table {name.replace('.', '_')}")
        assert [each["position"] for each in table["columns"]] == list(range(len(stored)))


def test_table_is_registered_once(settings: Settings, workspace: Workspace, catalog: UnityCatalog) -> None:
    lake = Lake.of(settings)
    lake.overwrite("queries/example", pa.table({"value": [["a"]], "count": pa.array([1], pa.int32())}))
    catalog.register(lake, "queries/example")
    catalog.register(lake, "queries/example")
    UnityCatalog(catalog.workspace, CATALOG).register(lake, "queries/example")
    [table] = workspace.catalog.tables.values()
    assert [(each["type_name"], each["type_text"]) for each in table["columns"]] == [
        ("ARRAY", "array<string>"),
        ("INT", "int"),
    ]
    assert table["storage_location"] == f"s3://{settings.bucket}/lake/queries/example"


def test_refused_registration_names_the_table_and_the_missing_privileges(
    settings: Settings, workspace: Workspace, catalog: UnityCatalog
) -> None:
    lake = Lake.of(settings)
    lake.overwrite("queries/example", pa.table({"value": [1]}))
    workspace.catalog.refused = True
    with pytest.raises(
        WorkspaceError, match=r"could not register pins\.queries\.example at .*EXTERNAL USE LOCATION on"
    ):
        catalog.register(lake, "queries/example")


def test_missing_catalog_is_named(settings: Settings, catalog: UnityCatalog) -> None:
    lake = Lake.of(settings)
    lake.overwrite("queries/example", pa.table({"value": [1]}))
    with pytest.raises(WorkspaceError, match="Catalog 'other' does not exist"):
        UnityCatalog(catalog.workspace, "other").register(lake, "queries/example")


def test_spark_registers_a_table_once(settings: Settings, session: Callable[[], SparkSession]) -> None:
    lake = Lake.of(settings)
    lake.overwrite("queries/example", pa.table({"value": [42]}))
    for _ in range(2):
        register(session(), lake, "queries/example", "spark_catalog")
    name = table_name("queries/example", "spark_catalog")
    assert name == "spark_catalog.queries.example"
    try:
        assert [row.asDict() for row in session().table(name).collect()] == [{"value": 42}]
    finally:
        session().sql(f"drop table {name}")
    assert lake.require("queries/example").rows == 1, "dropping an external table keeps its rows"
