"""Record type: the raw fields as posted, the columns published from them, and the rules that both should satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pin_pipeline.records.fields import Field


class Combine(StrEnum):
    """Way to combine several raw fields into one published column."""

    ARRAY = "array"
    SPACE_JOINED = "space_joined"
    FIRST = "first"
    """The first field that has a value, such as the new and then the former name of a renamed field."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A published column.

    Attributes:
        type: Spark SQL type.
        fields: names of the raw fields that the column is made from.
        combine: how several raw fields are combined; None for a single field.
        min_filled: minimum share of rows with a value, from 0 to 1.
        personal: the column holds personal data, which never appears in the sample of a check.
    """

    name: str
    type: str
    description: str
    fields: tuple[str, ...] = ()
    combine: Combine | None = None
    min_filled: float = 1.0
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class ConsistencyRule:
    """Two raw fields that must agree: both have the given `values`, or neither has.

    Records that break the rule are published and reported.
    """

    name: str
    description: str
    fields: tuple[str, str]
    values: tuple[str | int, str | int]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A condition that every published row should satisfy; rows that break it stay published and are reported.

    Attributes:
        sql: the condition, in the SQL that DataFusion and Spark have in common.
        sample_columns: columns, besides the key, of the sample of rows that break the condition.
    """

    name: str
    description: str
    sql: str
    sample_columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RecordType:
    """The definition of pins, geolocations or users, from which all other code derives."""

    name: str
    description: str
    source_table: str
    key: str
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]
    consistency_rules: tuple[ConsistencyRule, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    def field(self, name: str) -> Field:
        """Return the raw field of this name.

        Raises:
            KeyError: the record type has no such field.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} records have no field {name!r}")


def published_column(
    fields: tuple[Field, ...],
    name: str,
    type: str,  # noqa: A002
    source: str | None = None,
    min_filled: float = 1.0,
) -> Column:
    """Define the column that publishes one raw field, with the description of the field.

    Args:
        fields: all raw fields of the record type.
        name: name of the column.
        type: Spark SQL type of the column.
        source: name of the raw field; by default that of the column.
        min_filled: minimum share of rows with a value, from 0 to 1.
    """
    [field] = [field for field in fields if field.name == (source or name)]
    return Column(
        name=name,
        type=type,
        description=field.description,
        fields=(field.name,),
        min_filled=min_filled,
        personal=field.personal,
    )


def null_or_in(column: str, values: tuple[str, ...]) -> str:
    """Return the SQL condition that a column is null or has one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} is null or {column} in ({listed})"
