"""Tables of the source database: their definition, and the exact values of their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.values import RowConverter, ValueRefusedError, describe
from pin_pipeline.errors import PipelineError
from pin_pipeline.records import RecordType
from pin_pipeline.records.fields import MAX_INT, Field, Integer, Number, Text, Timestamp

COLUMN_TYPES = {
    "sqlite": "select name, type from pragma_table_info(:table)",
    "mysql": "select column_name, column_type from information_schema.columns"
    " where table_schema = database() and table_name = :table",
}
"""Statement for the names and types of the columns of a table, by backend of the database."""
HOW_TO_FILL = "create and fill it with `pin-pipeline source fill` or `pin-pipeline source load`"
ROUNDED_TYPES = ("float", "double")
"""MySQL rounds the text of FLOAT to six digits; a product with a double has all digits."""


class SourceError(PipelineError):
    """Raised when the source database cannot be reached, refuses an operation, or has a value that cannot be posted."""


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
            # TEXT of MySQL ends at 64 KiB.
            return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
        case Integer():
            return sa.Integer()
        case Number():
            return sa.Double()
        case Timestamp():
            # DATETIME without a precision rounds to seconds in MySQL.
            return sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    raise NotImplementedError(type(field))


@dataclass(frozen=True)
class LoadCounts:
    """Number of rows of a load, by what was done with them.

    Attributes:
        loaded: rows with a new key.
        replaced: rows that replaced the stored row of their key.
        skipped: rows that were not stored, because a later row of the same load has their key.
    """

    loaded: int = 0
    replaced: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class SourceTableReader:
    """Reader of a source table as it is, which may have been created by another program with other types.

    Attributes:
        record_type: type of the rows.
        name: name of the table and its database, for error messages.
        types: type of each column in the database.
    """

    record_type: RecordType
    name: str
    types: Mapping[str, str]

    @classmethod
    def of(cls, connection: sa.Connection, record_type: RecordType, database: str) -> SourceTableReader:
        """Read the types of the columns.

        Raises:
            SourceError: the table or a column is missing.
        """
        name = f"table {record_type.source_table} in {database}"
        backend = "sqlite" if connection.dialect.name == "sqlite" else "mysql"
        rows = connection.execute(sa.text(COLUMN_TYPES[backend]), {"table": record_type.source_table})
        types = {column.lower(): type_ or "no type" for column, type_ in rows}
        if not types:
            raise SourceError(f"{name} does not exist: {HOW_TO_FILL}")
        for field in record_type.fields:
            if field.name not in types:
                raise SourceError(
                    f"{name} has no column {field.name}: expected columns"
                    f" {', '.join(field.name for field in record_type.fields)}"
                )
        return cls(record_type, name, types)

    def keys(self, connection: sa.Connection) -> list[int]:
        """Read the keys of all rows in order.

        Raises:
            SourceError: two rows have the same key, or a key is null or not a whole number.
        """
        key = self.record_type.key
        column: sa.ColumnElement[Any] = sa.column(key)
        keys = [self._key(value) for value in connection.execute(self._select(column).order_by(column)).scalars()]
        for first, second in pairwise(keys):
            if first == second:
                raise SourceError(f"{self.name} has two rows with {key} {first}: expected unique keys")
        return keys

    def rows(self, connection: sa.Connection, keys: Collection[int]) -> dict[int, SourceRow]:
        """Read the rows of the given keys, with timestamps as naive UTC datetimes.

        Raises:
            SourceError: a value has no form that the record type allows, or there are two rows or none of a key.
        """
        key_name = self.record_type.key
        columns = [self._column(field, connection) for field in self.record_type.fields]
        found = connection.execute(self._select(sa.column(key_name), *columns).where(sa.column(key_name).in_(keys)))
        rows: dict[int, SourceRow] = {}
        for value, *values in found:
            key = self._key(value)
            if key in rows:
                raise SourceError(f"{self.name} has two rows with {key_name} {key}: expected unique keys")
            rows[key] = self._row(key, values)
        if missing := set(keys) - rows.keys():
            raise SourceError(f"{self.name} has no row with {key_name} {min(missing)} any more")
        return rows

    @cached_property
    def _converter(self) -> RowConverter:
        return RowConverter(self.record_type.fields)

    @cached_property
    def _key_converter(self) -> RowConverter:
        return RowConverter([self.record_type.field(self.record_type.key)])

    def _key(self, value: object) -> int:
        if type(value) is int and abs(value) <= MAX_INT:
            return value
        try:
            [key] = self._key_converter.convert([value]).values()
        except ValueRefusedError as error:
            raise SourceError(
                f"{self.name} has a row without a valid key in column {error.field} ({self.types[error.field]}):"
                f" {error}"
            ) from None
        return int(str(key))

    def _row(self, key: int, values: Sequence[object]) -> SourceRow:
        try:
            return self._converter.convert(values)
        except ValueRefusedError as error:
            raise SourceError(
                f"cannot read column {error.field} ({self.types[error.field]}) of the row with {self.record_type.key}"
                f" {key} of {self.name}: {error}"
            ) from None

    def _select(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        # Without the types of `source_table`, which would convert values that have another type.
        return sa.select(*columns).select_from(sa.table(self.record_type.source_table))

    def _column(self, field: Field, connection: sa.Connection) -> sa.ColumnElement[Any]:
        column: sa.ColumnElement[Any] = sa.column(field.name)
        rounded = isinstance(field, Number) and self.types[field.name].lower().startswith(ROUNDED_TYPES)
        return column * sa.literal_column("1e0") if rounded and connection.dialect.name != "sqlite" else column


def verify_stored(reader: SourceTableReader, rows: Mapping[int, SourceRow], stored: Mapping[int, SourceRow]) -> None:
    """Compare rows with what the database stored: it may round numbers and timestamps, and cut spaces."""
    for key, row in stored.items():
        for name, value in row.items():
            if value != rows[key][name]:
                raise SourceError(
                    f"{reader.name} stored {describe(value)} in column {name} ({reader.types[name]}) of the row with"
                    f" {reader.record_type.key} {key}: expected {describe(rows[key][name])}; no row was stored"
                )
