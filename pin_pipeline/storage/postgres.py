"""Rows into Postgres: a micro-batch is one transaction, and a row that is there already is not there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pin_pipeline.records import Column

CONNECT_SECONDS = 10
TYPES = {
    "string": "text",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "timestamp": "timestamptz",
    "binary": "bytea",
}


class PostgresError(Exception):
    """Postgres cannot be reached, or refuses; says what was tried, where, and what to do."""


@dataclass(frozen=True)
class PostgresTable:
    """A table, the columns that tell its rows apart, and those by which rows are found too."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    index: tuple[str, ...] = ()

    @cached_property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Postgres:
    """A database; every method raises PostgresError where it does not answer or refuses."""

    url: str = field(repr=False)  # may hold a password

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        where = conninfo_to_dict(self.url)
        return f"{where.get('host')}:{where.get('port', 5432)}/{where.get('dbname')}"

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """All that is done inside the block, or nothing."""
        try:
            with psycopg.connect(self.url, connect_timeout=CONNECT_SECONDS) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise PostgresError(
                f"Postgres at {self.place} does not answer: {_first_line(error)}; is it up? (`pin-pipeline status`; "
                "elsewhere, see PIN_POSTGRES_URL)"
            ) from error
        except psycopg.Error as error:
            raise PostgresError(f"Postgres at {self.place} refused: {_first_line(error)}") from error

    def ensure(self, table: PostgresTable) -> str:
        """Make a table; one that is there gets columns it lacks. Returns what tells it from one before or after it."""
        name = sql.Identifier(table.name)
        types = [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(TYPES[column.type]))
            for column in table.columns
        ]
        key = sql.SQL("PRIMARY KEY ({})").format(_listed(table.key))
        with self.transaction() as connection:
            # Two that make it at once would both find that it is not there.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table.name])
            create = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})")
            connection.execute(create.format(name, sql.SQL(", ").join([*types, key])))
            for column, type_ in zip(table.columns, types, strict=True):
                connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}").format(name, type_))
                comment = sql.SQL("COMMENT ON COLUMN {}.{} IS {}")
                connection.execute(comment.format(name, sql.Identifier(column.name), sql.Literal(column.description)))
            if table.index:
                create = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})")
                index = sql.Identifier("_".join((table.name, *table.index)))
                connection.execute(create.format(index, name, _listed(table.index)))
            query = "SELECT system_identifier, %s::regclass::oid FROM pg_control_system()"
            row = connection.execute(query, [f'"{table.name}"']).fetchone()
        return "-".join(map(str, row or ()))


def add(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table) -> None:
    """Add the rows whose key is not there yet."""
    _merge(connection, table, rows, sql.SQL("DO NOTHING"))


def put(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table) -> None:
    """Add rows, and replace those of the same key."""
    others = [name for name in table.names if name not in table.key]
    values = sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier("excluded", name) for name in others))
    _merge(
        connection,
        table,
        rows,
        sql.SQL("({}) DO UPDATE SET ({}) = ROW{}").format(_listed(table.key), _listed(others), values),
    )


def _merge(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table, on_conflict: sql.Composable) -> None:
    if not rows.num_rows:
        return
    name, arriving = sql.Identifier(table.name), sql.Identifier(f"arriving_{table.name}")
    create = sql.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP")
    connection.execute(create.format(arriving, name))
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(arriving, _listed(table.names))
    with connection.cursor().copy(copy) as target:
        for row in zip(*(rows[column].to_pylist() for column in table.names), strict=True):
            target.write_row(row)
    insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT {}")
    columns = _listed(table.names)
    connection.execute(insert.format(name, columns, columns, arriving, on_conflict))


def _listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
