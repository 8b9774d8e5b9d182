"""Source database: one table per record type, loaded from rows or files, and read by position in key order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from pin_pipeline.aws.secrets import Credentials, read_credentials
from pin_pipeline.emulator.files import SourceRow, read_rows
from pin_pipeline.errors import PipelineError
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.records.fields import Field, Integer, Number, Text, Timestamp
from pin_pipeline.settings import Settings

BATCH_ROWS = 1000
"""Rows read or written per statement."""
Item = TypeVar("Item")


class SourceError(PipelineError):
    """Raised when the source database cannot be reached, or refuses an operation."""


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
    """The source tables in the database of a SQLAlchemy URL: SQLite, or MySQL with `mysql+pymysql://`.

    Every method raises SourceError if the database cannot be reached or refuses; no message contains the password.
    """

    def __init__(self, url: str) -> None:
        metadata = sa.MetaData()
        self._tables = {name: source_table(record_type, metadata) for name, record_type in RECORD_TYPES.items()}
        try:
            self._url = sa.make_url(url)
            self._engine = sa.create_engine(self._url)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise SourceError(
                f"invalid PIN_SOURCE_URL ({type(error).__name__}): expected a database URL such as"
                " sqlite:////folder/source.db or mysql+pymysql://user:password@host/pinterest_data"
            ) from None
        self._create_folder()
        with self._errors():
            metadata.create_all(self._engine)

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

    def load(self, record_type: str, rows: Iterable[SourceRow]) -> int:
        """Store rows in one transaction; each replaces the row of the same key.

        Args:
            record_type: name of the record type.
            rows: a value for every column, with timestamps as naive UTC datetimes.

        Returns:
            The number of rows read from `rows`.
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
        """Store the rows of a file of JSON lines or CSV in one transaction; see `load`.

        Raises:
            OSError: the file cannot be read.
            RowError: a line is not a valid row of this record type; nothing was stored.
        """
        return self.load(record_type, read_rows(RECORD_TYPES[record_type], path))

    def count(self, record_type: str) -> int:
        """Return the number of rows in the table of a record type."""
        with self._errors(), self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(self._tables[record_type])).scalar_one()

    def rows(self, record_type: str, positions: Iterable[int]) -> Iterator[SourceRow]:
        """Read rows by their position in key order.

        Args:
            record_type: name of the record type.
            positions: indexes of the rows; the rows are returned in this order, with repeats.

        Raises:
            SourceError: a position is beyond the last row.
        """
        table, names = self._tables[record_type], [field.name for field in RECORD_TYPES[record_type].fields]
        key = table.c[RECORD_TYPES[record_type].key]
        with self._errors(), self._engine.connect() as connection:
            keys = connection.execute(sa.select(key).order_by(key)).scalars().all()
        for batch in _batches(positions):
            if max(batch) >= len(keys):
                raise SourceError(
                    f"cannot read position {max(batch)} of table {table.name} in {self}: it has {len(keys)} rows;"
                    " load more rows with `pin-pipeline source load`"
                )
            wanted = [keys[position] for position in batch]
            with self._errors(), self._engine.connect() as connection:
                found = connection.execute(sa.select(key, *table.c).where(key.in_(set(wanted)))).all()
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
                raise SourceError(f"cannot create folder {folder} of {self}: {error.strerror}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            raise SourceError(
                f"{self} failed: {reason}; check that it is running and that PIN_SOURCE_URL is correct"
            ) from error


def source_table(record_type: RecordType, metadata: sa.MetaData) -> sa.Table:
    """Define the source table of a record type: its fields in stored order, with Unicode text."""
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
            # DATETIME without a precision rounds to seconds in MySQL.
            return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    raise NotImplementedError(type(field))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch
