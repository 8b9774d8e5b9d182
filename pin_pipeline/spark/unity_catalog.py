"""Registration of the lake's tables in Unity Catalog, so that users can query by name; the pipeline uses paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pin_pipeline.storage.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def table_name(key: str, catalog: str | None) -> str:
    """Return the name of a table, such as `cleaned.pin`, or `catalog.cleaned.pin` with a catalog."""
    return ".".join(filter(None, (catalog, *key.split("/"))))


def register(spark: SparkSession, lake: Lake, key: str, catalog: str) -> None:
    """Register an existing table under its name as an external table; does nothing if it is already registered."""
    schema, table = (f"`{part}`" for part in key.split("/"))
    spark.sql(f"create schema if not exists `{catalog}`.{schema}")
    spark.sql(f"create table if not exists `{catalog}`.{schema}.{table} using delta location '{lake.path(key)}'")
