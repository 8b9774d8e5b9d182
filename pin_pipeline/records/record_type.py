"""What a record kind is: the raw record as it is posted, the columns published from it, and what to expect of both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pin_pipeline.records.fields import Field


class Combine(StrEnum):
    """How a published column is made from more than one field."""

    ARRAY = "array"
    WORDS = "words"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A published column: its Spark SQL type and the raw fields it comes from.

    Attributes:
        filled: the least share of rows that have a value, from 0 to 1.
        personal: says something of a person, so that no sample of a check shows it.
    """

    name: str
    type: str
    description: str
    fields: tuple[str, ...] = ()
    combine: Combine | None = None
    filled: float = 1.0
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class ConsistencyRule:
    """Two raw fields whose values go together: either both are what is said here, or neither is."""

    name: str
    description: str
    fields: tuple[str, str]
    values: tuple[str | int, str | int]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What is true of every published row of good data; rows that differ are published, and reported.

    Attributes:
        sql: the condition, in the SQL that DataFusion and Spark have in common.
        shown: the columns that a sample of the other rows shows beside the key.
    """

    name: str
    description: str
    sql: str
    shown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RecordType:
    """A kind of record; everything that knows pins, geolocations or users derives from its definition."""

    name: str
    description: str
    source_table: str
    key: str
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]
    consistency_rules: tuple[ConsistencyRule, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    def field(self, name: str) -> Field:
        """The raw field of that name. Raises KeyError where there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} records have no field {name!r}")


def published(
    fields: tuple[Field, ...],
    name: str,
    type: str,  # noqa: A002
    source: str | None = None,
    filled: float = 1.0,
) -> Column:
    """The column that publishes one field, under the field's own description."""
    [field] = [field for field in fields if field.name == (source or name)]
    return Column(
        name=name,
        type=type,
        description=field.description,
        fields=(field.name,),
        filled=filled,
        personal=field.personal,
    )


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The SQL condition that a column has one of these values or none."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} is null or {column} in ({listed})"
