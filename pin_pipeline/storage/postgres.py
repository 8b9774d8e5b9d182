"""Postgres database: idempotent writes of Arrow tables, one transaction per micro-batch, and process locks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pin_pipeline.errors import PipelineError
from pin_pipeline.records import Column

CONNECT_SECONDS = 10
LOCK_SETTINGS = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
"""Settings with which the server releases the lock of a machine that has vanished, after one minute."""

TYPES = {
    "string": "text",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "timestamp": "timestamptz",
    "binary": "bytea",
}
"""Postgres type by type of a `Column`."""

log = logging.getLogger(__name__)


class PostgresError(PipelineError):
    """Raised when Postgres does not respond or refuses a statement."""


@dataclass(frozen=True)
class PostgresTable:
    """Definition of a table.

    Attributes:
        key: columns of the primary key.
        index: columns of a secondary index, if any.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    index: tuple[str, ...] = ()

    @cached_property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class Postgres:
    """Postgres database. Every method raises PostgresError when the database does not respond or refuses."""

    url: str = field(repr=False)  # may contain a password

    @property
    def address(self) -> str:
        """Host, port and name of the database, without the password."""
        parameters = conninfo_to_dict(self.url)
        return f"{parameters.get('host')}:{parameters.get('port', 5432)}/{parameters.get('dbname')}"

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """Open a connection whose statements are committed when the block ends, or rolled back when it raises.

        Raises:
            PostgresError: the database does not respond or refuses a statement.
        """
        with self._connect(autocommit=False) as connection:
            yield connection

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold an exclusive lock during the block, after waiting for the process that holds it.

        Processes that wait are served in the order of their requests. The database releases the lock of a process that
        ends in any way.

        Args:
            name: name of the lock.

        Raises:
            PostgresError: the database does not respond, or the connection, and with it the lock, was lost.
        """
        with self._connect(autocommit=True) as connection:
            connection.execute(LOCK_SETTINGS)
            row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
            if row != (True,):
                log.info("another process holds the lock %r at %s, waiting for it to end", name, self.address)
                connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
            yield
            connection.execute("SELECT 1")  # fails if the connection was lost during the block

    @contextmanager
    def _connect(self, *, autocommit: bool) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self.url, connect_timeout=CONNECT_SECONDS, autocommit=autocommit) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise PostgresError(
                f"Postgres at {self.address} does not respond: {_first_line(error)}; check that it is running "
                "(`pin-pipeline status`), or correct PIN_POSTGRES_URL"
            ) from error
        except psycopg.Error as error:
            raise PostgresError(f"Postgres at {self.address} refused a statement: {_first_line(error)}") from error

    def ensure_table(self, table: PostgresTable) -> str:
        """Create a table if missing, else add the columns that it lacks; set comments and create the index.

        Existing rows and existing columns are not changed.

        Returns:
            The identity of the table: a table that is dropped and recreated has another one.

        Raises:
            PostgresError: the database does not respond or refuses a statement.
        """
        name = sql.Identifier(table.name)
        definitions = [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(TYPES[column.type]))
            for column in table.columns
        ]
        key = sql.SQL("PRIMARY KEY ({})").format(_join(table.key))
        with self.transaction() as connection:
            # CREATE TABLE IF NOT EXISTS fails when two transactions create the same table at once.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table.name])
            create = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})")
            connection.execute(create.format(name, sql.SQL(", ").join([*definitions, key])))
            for column, definition in zip(table.columns, definitions, strict=True):
                connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}").format(name, definition))
                comment = sql.SQL("COMMENT ON COLUMN {}.{} IS {}")
                connection.execute(comment.format(name, sql.Identifier(column.name), sql.Literal(column.description)))
            if table.index:
                create = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})")
                index = sql.Identifier("_".join((table.name, *table.index)))
                connection.execute(create.format(index, name, _join(table.index)))
            query = "SELECT system_identifier, %s::regclass::oid FROM pg_control_system()"
            row = connection.execute(query, [f'"{table.name}"']).fetchone()
        return "-".join(map(str, row or ()))


def insert_rows(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table) -> None:
    """Insert rows, and skip those whose primary key exists already: existing rows are not changed."""
    _merge(connection, table, rows, sql.SQL("DO NOTHING"))


def upsert_rows(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table) -> None:
    """Insert rows, and replace all columns of existing rows with the same primary key. Keys in `rows` are unique."""
    others = [name for name in table.names if name not in table.key]
    values = sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier("excluded", name) for name in others))
    _merge(
        connection,
        table,
        rows,
        sql.SQL("({}) DO UPDATE SET ({}) = ROW{}").format(_join(table.key), _join(others), values),
    )


def _merge(connection: psycopg.Connection, table: PostgresTable, rows: pa.Table, on_conflict: sql.Composable) -> None:
    if not rows.num_rows:
        return
    name, staging = sql.Identifier(table.name), sql.Identifier(f"staging_{table.name}")
    columns = _join(table.names)
    # Only the columns of the pipeline: others, which a user may have added, keep their defaults.
    create = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    connection.execute(create.format(staging, columns, name))
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(staging, columns)
    with connection.cursor().copy(copy) as target:
        for row in zip(*(rows[column].to_pylist() for column in table.names), strict=True):
            target.write_row(row)
    insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT {}")
    connection.execute(insert.format(name, columns, columns, staging, on_conflict))


def _join(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
