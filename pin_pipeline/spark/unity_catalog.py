"""Names for the lake's tables in Unity Catalog, where there is one: people query by name, the pipeline by path."""

from __future__ import annotations

from pyspark.sql import SparkSession

from pin_pipeline.storage.lake import Lake


def table_name(key: str, catalog: str | None) -> str:
    """The name of a table, `cleaned.pin` or `catalog.cleaned.pin`."""
    return ".".join(filter(None, (catalog, *key.split("/"))))


def register(spark: SparkSession, lake: Lake, key: str, catalog: str) -> None:
    """Give a table, which is there already, its name; one that has it keeps it. Its rows stay where they are."""
    schema, table = (f"`{part}`" for part in key.split("/"))
    spark.sql(f"create schema if not exists `{catalog}`.{schema}")
    spark.sql(f"create table if not exists `{catalog}`.{schema}.{table} using delta location '{lake.path(key)}'")
