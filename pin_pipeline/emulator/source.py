"""The source database: one table a record kind, filled from rows or JSON lines, read by position in key order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from pin_pipeline.aws.secrets import Login
from pin_pipeline.emulator import files
from pin_pipeline.emulator.files import Row
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp

BATCH_ROWS = 1000
Item = TypeVar("Item")


class SourceError(Exception):
    """The source database cannot do what was asked; says what was tried, where, and what to do."""


def with_login(url: str, user: Login) -> str:
    """A database URL with a login in it.

    Raises:
        SourceError: it is no URL.
    """
    try:
        whole = sa.make_url(url).set(username=user.username, password=user.password)
    except SQLAlchemyError:  # which would quote it
        raise SourceError("PIN_SOURCE_URL is no URL; expected one like mysql+pymysql://host/pinterest_data") from None
    return whole.render_as_string(hide_password=False)


class SourceDatabase:
    """The source tables behind a SQLAlchemy URL: SQLite, or MySQL by `mysql+pymysql://`.

    Every method raises SourceError where the database cannot be reached or refuses; no message holds the password.
    """

    def __init__(self, url: str) -> None:
        metadata = sa.MetaData()
        self._tables = {name: table(record_type, metadata) for name, record_type in RECORD_TYPES.items()}
        try:
            self._url = sa.make_url(url)
            self._engine = sa.create_engine(self._url)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise SourceError(
                "PIN_SOURCE_URL is no database URL that can be used; expected one like sqlite:////folder/source.db or"
                f" mysql+pymysql://user:password@host/pinterest_data ({type(error).__name__})"
            ) from None
        self._create_folder()
        with self._errors():
            metadata.create_all(self._engine)

    def load(self, record_type: str, rows: Iterable[Row]) -> int:
        """Store rows, all or none, each replacing the row of the same key.

        Args:
            kind: name of the record kind.
            rows: a value for every column, timestamps as naive UTC datetimes.

        Returns:
            How many rows were given.
        """
        target, key = self._tables[record_type], RECORD_TYPES[record_type].key
        count = 0
        with self._errors(), self._engine.begin() as connection:
            for batch in _batches(rows):
                latest = {row[key]: row for row in batch}
                connection.execute(target.delete().where(target.c[key].in_(latest)))
                connection.execute(target.insert(), list(latest.values()))
                count += len(batch)
        return count

    def load_file(self, record_type: str, path: Path) -> int:
        """Store the rows of a file of JSON lines or CSV, all or none; see `load`.

        Raises:
            OSError: the file cannot be read.
            RowError: a line is no row of this kind; nothing was stored.
        """
        return self.load(record_type, files.read(RECORD_TYPES[record_type], path))

    def count(self, record_type: str) -> int:
        """How many rows the kind's table holds."""
        with self._errors(), self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(self._tables[record_type])).scalar_one()

    def rows(self, record_type: str, positions: Iterable[int]) -> Iterator[Row]:
        """The rows at these positions in key order, in the order asked for, repeats included.

        Raises:
            SourceError: a position lies beyond the last row.
        """
        source, names = self._tables[record_type], [field.name for field in RECORD_TYPES[record_type].fields]
        key = source.c[RECORD_TYPES[record_type].key]
        with self._errors(), self._engine.connect() as connection:
            keys = connection.execute(sa.select(key).order_by(key)).scalars().all()
        for batch in _batches(positions):
            if max(batch) >= len(keys):
                raise SourceError(
                    f"{self}: table {source.name} has {len(keys)} rows, none at position {max(batch)};"
                    " load more rows with `pin-pipeline source load`"
                )
            wanted = [keys[position] for position in batch]
            with self._errors(), self._engine.connect() as connection:
                found = connection.execute(sa.select(key, *source.c).where(key.in_(set(wanted)))).all()
            rows = {value: dict(zip(names, row, strict=True)) for value, *row in found}
            yield from (rows[value] for value in wanted)

    def __str__(self) -> str:
        return f"source database {self._url.render_as_string(hide_password=True)}"

    def _create_folder(self) -> None:
        if self._url.get_backend_name() == "sqlite" and self._url.database:
            folder = Path(self._url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SourceError(f"{self}: folder {folder} cannot be created: {error.strerror}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise SourceError(f"{self}: {reason}; check that it is up and that PIN_SOURCE_URL is right") from error


def table(record_type: RecordType, metadata: sa.MetaData) -> sa.Table:
    """The source table of a record kind: its fields in stored order, text in any script."""
    columns = (
        sa.Column(
            field.name,
            _type(field),
            primary_key=field.name == record_type.key,
            autoincrement=False,
            nullable=isinstance(field, Text),
        )
        for field in record_type.fields
    )
    return sa.Table(record_type.source_table, metadata, *columns, mysql_charset="utf8mb4")


def _type(field: Field) -> sa.types.TypeEngine[Any]:
    match field:
        case Text():
            return sa.Text()
        case Integer():
            return sa.Integer()
        case Number():
            return sa.Double()
        case Timestamp():
            # MySQL's plain DATETIME rounds fractions of a second away.
            return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    raise NotImplementedError(type(field))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch
