"""Writes to Postgres tables that users have changed."""

from __future__ import annotations

import uuid

import pyarrow as pa
from psycopg import sql

from pin_pipeline.records import Column
from pin_pipeline.settings import Settings
from pin_pipeline.storage.postgres import Postgres, PostgresTable, insert_rows, upsert_rows


def column(name: str, column_type: str) -> Column:
    return Column(name=name, type=column_type, description=name)


def test_rows_are_written_beside_columns_of_a_user_that_may_not_be_null(settings: Settings) -> None:
    database = Postgres(settings.postgres_url)
    name = f"t{uuid.uuid4().hex[:12]}"
    table = PostgresTable(name, (column("key", "bigint"), column("text", "string")), key=("key",))
    identifier = sql.Identifier(name)
    database.ensure_table(table)
    with database.transaction() as connection:
        add = sql.SQL("ALTER TABLE {} ADD COLUMN reviewed boolean NOT NULL DEFAULT false")
        connection.execute(add.format(identifier))
        insert_rows(connection, table, pa.table({"key": [1, 2], "text": ["a", "b"]}))
        connection.execute(sql.SQL("UPDATE {} SET reviewed = true WHERE key = 1").format(identifier))
    with database.transaction() as connection:
        insert_rows(connection, table, pa.table({"key": [2, 3], "text": ["x", "c"]}))
    database.ensure_table(table)
    with database.transaction() as connection:
        upsert_rows(connection, table, pa.table({"key": [1], "text": ["new"]}))
        rows = connection.execute(sql.SQL("SELECT * FROM {} ORDER BY key").format(identifier)).fetchall()
    assert rows == [(1, "new", True), (2, "b", False), (3, "c", False)]
