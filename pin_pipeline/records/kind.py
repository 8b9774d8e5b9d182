"""What a record kind is: the raw record as it is posted, and the columns published from it."""

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
    """A published column: its Spark SQL type and the raw fields it comes from."""

    name: str
    type: str
    description: str
    fields: tuple[str, ...] = ()
    combine: Combine | None = None


@dataclass(frozen=True, kw_only=True)
class RecordKind:
    """A kind of record; everything that knows pins, geolocations or users derives from its definition."""

    name: str
    description: str
    source_table: str
    key: str
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]

    def field(self, name: str) -> Field:
        """The raw field of that name. Raises KeyError where there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} records have no field {name!r}")


def published(fields: tuple[Field, ...], name: str, type: str, source: str | None = None) -> Column:  # noqa: A002
    """The column that publishes one field, under the field's own description."""
    source = source or name
    description = next(field.description for field in fields if field.name == source)
    return Column(name=name, type=type, description=description, fields=(source,))
