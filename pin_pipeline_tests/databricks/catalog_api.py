"""Fake Unity Catalog: the REST API of schemas and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from pin_pipeline_tests.databricks.api_error import WorkspaceApiError

Json = dict[str, Any]
CATALOG = "pins"
REQUIRED = ("catalog_name", "schema_name", "name", "table_type", "data_source_format", "storage_location")


@dataclass
class Catalog:
    """The schemas and tables of the catalog `pins`.

    Attributes:
        schemas: names of the schemas, in the order of their creation.
        tables: tables by full name, as they were created.
        refused: whether the service principal lacks the privileges to create a table.
    """

    schemas: list[str] = field(default_factory=list)
    tables: dict[str, Json] = field(default_factory=dict)
    refused: bool = False

    def create_schema(self, body: Json) -> Json:
        """Create a schema."""
        self._check_catalog(body["catalog_name"])
        if body["name"] in self.schemas:
            raise WorkspaceApiError(HTTPStatus.CONFLICT, "SCHEMA_ALREADY_EXISTS", f"Schema '{body['name']}' exists")
        self.schemas.append(body["name"])
        return {**body, "full_name": f"{CATALOG}.{body['name']}"}

    def create_table(self, body: Json) -> Json:
        """Create an external Delta table, the only kind that the API creates."""
        if missing := [name for name in REQUIRED if not body.get(name)]:
            raise WorkspaceApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"Missing {missing}")
        if (body["table_type"], body["data_source_format"]) != ("EXTERNAL", "DELTA"):
            raise WorkspaceApiError(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", "Only EXTERNAL DELTA tables")
        self._check_catalog(body["catalog_name"])
        if body["schema_name"] not in self.schemas:
            raise WorkspaceApiError(HTTPStatus.NOT_FOUND, "SCHEMA_DOES_NOT_EXIST", "The schema does not exist.")
        if self.refused:
            message = "User does not have EXTERNAL USE LOCATION on External Location 'lake'."
            raise WorkspaceApiError(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", message)
        name = ".".join(body[part] for part in ("catalog_name", "schema_name", "name"))
        if name in self.tables:
            raise WorkspaceApiError(HTTPStatus.CONFLICT, "TABLE_ALREADY_EXISTS", f"Table '{name}' already exists")
        self.tables[name] = body
        return {**body, "full_name": name}

    def _check_catalog(self, name: str) -> None:
        if name != CATALOG:
            raise WorkspaceApiError(HTTPStatus.NOT_FOUND, "CATALOG_DOES_NOT_EXIST", f"Catalog '{name}' does not exist.")


def catalog_api(catalog: Catalog) -> APIRouter:
    """Return the routes of a catalog."""
    api = APIRouter()
    api.post("/schemas")(catalog.create_schema)
    api.post("/tables")(catalog.create_table)

    @api.get("/schemas")
    def list_schemas() -> Json:
        return {"schemas": [{"name": name, "catalog_name": CATALOG} for name in catalog.schemas]}

    @api.get("/table-summaries")
    def list_tables(schema_name_pattern: str) -> Json:
        names = [name for name in catalog.tables if name.split(".")[1] == schema_name_pattern]
        return {"tables": [{"full_name": name, "table_type": "EXTERNAL"} for name in names]}

    return api
