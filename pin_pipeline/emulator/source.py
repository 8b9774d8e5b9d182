"""Source database: one table per record type, loaded from rows or files, and read by position in key order."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from pin_pipeline.aws.secrets import Credentials, read_credentials
from pin_pipeline.emulator.delimited import Dialect
from pin_pipeline.emulator.files import SourceRow, read_rows
from pin_pipeline.emulator.source_tables import (
    HOW_TO_FILL,
    LoadCounts,
    SourceError,
    SourceTableReader,
    source_table,
    verify_stored,
)
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

BATCH_ROWS = 1000
"""Rows read or written per statement."""
BACKENDS = ("sqlite", "mysql", "mariadb")
MYSQL_SESSION = "set time_zone = '+00:00', sql_mode = concat(@@sql_mode, ',STRICT_ALL_TABLES')"
"""TIMESTAMP columns are read in UTC, and values that a column cannot hold are refused instead of cut."""
Item = TypeVar("Item")
Progress = Callable[[int], None]
"""Function that is called with the number of rows processed so far."""


def with_credentials(url: str, user: Credentials) -> str:
    """Add a user name and password to a database URL.

    Raises:
        SourceError: the URL is invalid.
    """
    try:
        with_user = sa.make_url(url).set(username=user.username, password=user.password)
    except SQLAlchemyError:  # its message may contain a password
        raise SourceError(
            "invalid PIN_SOURCE_URL: expected a database URL such as mysql+pymysql://host/pinterest_data"
        ) from None
    return with_user.render_as_string(hide_password=False)


class SourceDatabase:
    """The source tables in the database of a SQLAlchemy URL: SQLite, or MySQL and MariaDB with `mysql+pymysql://`.

    Connects on first use. Only `load` and `load_file` write to it, and create missing tables. Every method raises
    SourceError if the database cannot be reached or refuses; no message contains the password.
    """

    def __init__(self, url: str) -> None:
        metadata = sa.MetaData()
        self._tables = {name: source_table(record_type, metadata) for name, record_type in RECORD_TYPES.items()}
        try:
            self._url = sa.make_url(url)
            self._engine = _create_engine(self._url)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise SourceError(
                f"invalid PIN_SOURCE_URL ({type(error).__name__}): expected a database URL such as"
                " sqlite:////folder/source.db or mysql+pymysql://user:password@host/pinterest_data"
            ) from None

    @classmethod
    def of(cls, settings: Settings) -> SourceDatabase:
        """Connect to the source database that the settings name.

        Raises:
            SettingError: PIN_SOURCE_URL is not set.
        """
        return cls.connect(settings.required("source_url"), settings.source_secret, settings.region)

    @classmethod
    def connect(cls, url: str, secret: str, region: str) -> SourceDatabase:
        """Connect to a source database.

        Args:
            url: SQLAlchemy URL.
            secret: name or ARN of the secret with the user name and password; empty if the URL has them.
            region: AWS region of the secret.
        """
        return cls(with_credentials(url, read_credentials(secret, region)) if secret else url)

    def load(self, record_type: str, rows: Iterable[SourceRow], progress: Progress = lambda _: None) -> LoadCounts:
        """Store rows in one transaction; each replaces the row of the same key.

        Args:
            record_type: name of the record type.
            rows: a value for every column, with timestamps as naive UTC datetimes.
            progress: called after every batch.

        Raises:
            SourceError: a row is refused, or stored with another value; nothing was stored.
        """
        self._create_tables()
        key = RECORD_TYPES[record_type].key
        loaded: set[int] = set()
        count = replaced = 0
        with self._connection() as connection, connection.begin():
            reader = self._reader(connection, record_type)
            for batch in _batches(rows):
                latest: dict[Any, SourceRow] = {row[key]: row for row in batch}
                replaced += len(self._replace(connection, reader, latest) - loaded)
                loaded |= latest.keys()
                count += len(batch)
                progress(count)
        return LoadCounts(len(loaded) - replaced, replaced, count - len(loaded))

    def load_file(
        self,
        record_type: str,
        path: Path,
        dialect: Dialect | None = None,
        progress: Progress = lambda _: None,
    ) -> LoadCounts:
        """Store the rows of a file of JSON lines or CSV in one transaction; see `read_rows` and `load`.

        Raises:
            OSError: the file cannot be read.
            RowError: a line is not a valid row of this record type, or there are no rows; nothing was stored.
        """
        return self.load(record_type, read_rows(RECORD_TYPES[record_type], path, dialect), progress)

    def count(self, record_type: str) -> int:
        """Return the number of rows in the table of a record type."""
        with self._connection() as connection:
            self._reader(connection, record_type)
            return connection.execute(sa.select(sa.func.count()).select_from(self._tables[record_type])).scalar_one()

    def is_empty(self) -> bool:
        """Return whether all tables are missing or have no rows."""
        if self._missing_file():
            return True
        with self._connection() as connection:
            existing = sa.inspect(connection)
            return not any(
                existing.has_table(table.name) and connection.execute(sa.select(table).limit(1)).first()
                for table in self._tables.values()
            )

    def rows(self, record_type: str, positions: Iterable[int]) -> Iterator[SourceRow]:
        """Read rows by their position in key order; all keys are read before the first row is.

        Args:
            record_type: name of the record type.
            positions: indexes of the rows; the rows are returned in this order, with repeats.

        Raises:
            SourceError: keys are missing or not unique, a position is beyond the last row, or a value cannot be posted.
        """
        with self._connection() as connection:
            reader = self._reader(connection, record_type)
            keys = reader.keys(connection)
        return self._rows(reader, keys, positions)

    def _rows(self, reader: SourceTableReader, keys: Sequence[int], positions: Iterable[int]) -> Iterator[SourceRow]:
        for batch in _batches(positions):
            if max(batch) >= len(keys):
                raise SourceError(
                    f"cannot read position {max(batch)} of {reader.name}: it has {len(keys)} rows;"
                    " load more rows with `pin-pipeline source load`"
                )
            wanted = [keys[position] for position in batch]
            with self._connection() as connection:
                rows = reader.rows(connection, set(wanted))
            yield from (rows[key] for key in wanted)

    def __str__(self) -> str:
        return f"source database {self._url.render_as_string(hide_password=True)}"

    def _replace(self, connection: sa.Connection, reader: SourceTableReader, rows: Mapping[int, SourceRow]) -> set[int]:
        """Store rows by their keys, verify them, and return the keys that existed before."""
        table, key = self._tables[reader.record_type.name], reader.record_type.key
        of_rows = table.c[key].in_(rows)
        existing = set(connection.execute(sa.select(table.c[key]).where(of_rows)).scalars())
        if existing:
            connection.execute(table.delete().where(of_rows))
        try:
            connection.execute(table.insert(), list(rows.values()))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            connection.execute(table.delete().where(of_rows))
            self._raise_refusal(connection, reader, rows.values())
            raise
        verify_stored(reader, rows, reader.rows(connection, rows))
        return existing

    def _raise_refusal(self, connection: sa.Connection, reader: SourceTableReader, rows: Iterable[SourceRow]) -> None:
        """Insert rows one by one, and raise SourceError for the first that the database refuses."""
        table, key = self._tables[reader.record_type.name], reader.record_type.key
        for row in rows:
            try:
                connection.execute(table.insert(), row)
            except DBAPIError as error:
                reason = _reason(error)
                columns = [name for name in row if re.search(rf"['`.]{name}\b", reason)]
                types = "".join(f"; the type of column {name} is {reader.types[name]}" for name in columns)
                raise SourceError(
                    f"{reader.name} refused the row with {key} {row[key]}: {reason}{types}; no row was stored"
                ) from error

    def _reader(self, connection: sa.Connection, record_type: str) -> SourceTableReader:
        return SourceTableReader.of(connection, RECORD_TYPES[record_type], str(self))

    def _create_tables(self) -> None:
        file = self._file()
        if file:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SourceError(f"cannot create folder {file.parent} of {self}: {error.strerror}") from error
        with self._connection(writes=True) as connection, connection.begin():
            existing = sa.inspect(connection)
            for table in self._tables.values():
                if not existing.has_table(table.name):
                    connection.execute(CreateTable(table, if_not_exists=True))

    def _file(self) -> Path | None:
        """Return the file of an SQLite database, unless it is in memory or has the form of a URI."""
        path = self._url.database if self._url.get_backend_name() == "sqlite" else None
        return None if path in {None, "", ":memory:"} or str(path).startswith("file:") else Path(str(path))

    def _missing_file(self) -> bool:
        file = self._file()
        return file is not None and not file.exists()

    @contextmanager
    def _connection(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        """Connect; SQLite creates a missing file only if the connection `writes`."""
        if not writes and self._missing_file():
            raise SourceError(f"{self} does not exist: {HOW_TO_FILL}")
        try:
            connection = self._engine.connect()
        except (SQLAlchemyError, RuntimeError, TypeError, LookupError) as error:
            raise SourceError(
                f"cannot connect to {self}: {_reason(error)}; check that it is running and that PIN_SOURCE_URL is"
                " correct"
            ) from error
        with connection:
            try:
                yield connection
            except SQLAlchemyError as error:
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                raise SourceError(f"{self} failed: {_reason(error)}{'; check that it is running' * lost}") from error


def _create_engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() not in BACKENDS:
        raise ValueError(f"database {url.get_backend_name()} is not supported")
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, connect_args={"init_command": MYSQL_SESSION})
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.text_factory = _text

    return engine


def _text(value: bytes) -> str | bytes:
    """Decode text of SQLite, which need not be valid UTF-8; bytes are refused later, with the name of their column."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _reason(error: Exception) -> str:
    """Return the message of the database driver, without the code that precedes it in MySQL."""
    cause = getattr(error, "orig", None) or error
    return str(cause.args[-1] if cause.args else cause)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch
