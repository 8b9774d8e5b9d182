"""Registration of tables in Unity Catalog without Spark; the pipeline itself finds its tables by path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from databricks.sdk import WorkspaceClient
from deltalake import Schema

from pin_pipeline.databricks.workspace import translate_errors
from pin_pipeline.storage.lake import Lake

TABLES_API = "/api/2.1/unity-catalog/tables"
"""Path of the API that creates a table, which the SDK has from 0.61 on; dagster-databricks 0.29 requires an older one.

https://docs.databricks.com/api/workspace/tables/create
"""
PRIVILEGES = (
    "USE CATALOG, CREATE SCHEMA, CREATE TABLE and EXTERNAL USE SCHEMA on the catalog, and CREATE EXTERNAL TABLE and "
    "EXTERNAL USE LOCATION on the external location of the bucket"
)
SPARK_TYPES = {"integer": "int", "long": "bigint"}
"""SQL type of a type of Delta's schema, where the names differ."""


@dataclass(frozen=True)
class UnityCatalog:
    """A catalog, in which tables are registered as external tables named `{catalog}.{asset key}`.

    Attributes:
        workspace: client of the workspace.
        name: name of the catalog.
    """

    workspace: WorkspaceClient
    name: str
    _tables: dict[str, set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def register(self, lake: Lake, key: str) -> None:
        """Register an existing table and its schema; does nothing if they are registered.

        Raises:
            WorkspaceError: Databricks refuses or does not respond.
        """
        schema, table = key.split("/")
        with translate_errors(self.workspace.config.host, f"register {self.name}.{schema}.{table}", PRIVILEGES):
            tables = self._registered(schema)
            if table not in tables:
                body = {"catalog_name": self.name, "schema_name": schema, "name": table, **_description(lake, key)}
                self.workspace.api_client.do("POST", TABLES_API, body=body)
                tables.add(table)

    def _registered(self, schema: str) -> set[str]:
        """Return the names of the tables in a schema, which is created if missing."""
        if schema not in self._tables:
            if schema not in {found.name for found in self.workspace.schemas.list(self.name)}:
                self.workspace.schemas.create(schema, self.name)
            summaries = self.workspace.tables.list_summaries(self.name, schema_name_pattern=schema)
            self._tables[schema] = {str(found.full_name).rpartition(".")[2] for found in summaries}
        return self._tables[schema]


def _description(lake: Lake, key: str) -> dict[str, Any]:
    """Return the description of an external table for the API."""
    table = lake.require(key).delta
    return {
        "table_type": "EXTERNAL",
        "data_source_format": "DELTA",
        "storage_location": table.table_uri.rstrip("/"),
        "columns": list(_columns(table.schema())),
    }


def _columns(schema: Schema) -> Iterator[dict[str, Any]]:
    """Yield the columns of a table as Spark describes them, which the API requires and does not check."""
    for position, column in enumerate(json.loads(schema.to_json())["fields"]):
        text = _sql_type(column["type"])
        yield {
            "name": column["name"],
            "position": position,
            "type_text": text,
            "type_name": "LONG" if text == "bigint" else text.partition("<")[0].upper(),
            "type_json": json.dumps(column),
            "nullable": column["nullable"],
            "comment": column["metadata"].get("comment", ""),
        }


def _sql_type(delta: str | dict[str, Any]) -> str:
    if isinstance(delta, str):
        return SPARK_TYPES.get(delta, delta)
    return f"array<{_sql_type(delta['elementType'])}>"
