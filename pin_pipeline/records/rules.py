"""Validation and cleaning rules in plain Python, without Spark.

The gateway, the daily batch and the streaming jobs all validate records with this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, singledispatch
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.record_type import Column, Combine, RecordType

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)", re.ASCII)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?", re.ASCII)
MAX_BIGINT = 2**63 - 1

Values = list[Any]
PublishedRow = tuple[object, ...]


class Rejected(NamedTuple):
    """Outcome for a record that failed validation.

    Attributes:
        reason: the first reason that applies.
        field: name of the rejected field; None if the reason concerns the whole record.
        value: value of that field as JSON; None if the field is missing.
    """

    reason: Reason
    field: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


class Accepted(NamedTuple):
    """Outcome for a record that passed validation.

    Attributes:
        row: published values, in the order of the record type's columns.
        inconsistent: names of the consistency rules that the record breaks.
        unknown: names of fields that the record type does not have.
    """

    row: PublishedRow
    inconsistent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Validator:
    """Validator of the records of one record type."""

    def __init__(self, record_type: RecordType) -> None:
        indexes = {field.name: index for index, field in enumerate(record_type.fields)}
        self._key = record_type.key
        self._required_non_key = [
            field.name for field in record_type.fields if field.required and field.name != record_type.key
        ]
        self._fields = [(field.name, field.required, cleaner(field)) for field in record_type.fields]
        self._columns = [
            _column_reader(column, [indexes[name] for name in column.fields]) for column in record_type.columns
        ]
        self._known = indexes.keys()
        self._consistency_rules = [(rule.name, rule.fields, rule.values) for rule in record_type.consistency_rules]

    def validate(self, value: bytes | None) -> Accepted | Rejected:
        """Validate and clean one record.

        Args:
            value: raw bytes of the record; None for a tombstone.
        """
        try:
            record = orjson.loads(value or b"")
        except orjson.JSONDecodeError:
            return Rejected(Reason.NOT_JSON)
        if not isinstance(record, dict):
            return Rejected(Reason.NOT_AN_OBJECT)
        values: Values = []
        name = self._key
        try:
            for name, required, clean in self._fields:
                if name in record:
                    values.append(clean(record[name]))
                elif required:
                    return self._rejected(record, Reason.MISSING_FIELD, name)
                else:
                    values.append(None)
        except TypeError:
            return self._rejected(record, Reason.WRONG_TYPE, name)
        except ValueError:
            return self._rejected(record, Reason.INVALID_VALUE, name)
        row = tuple([column(values) for column in self._columns])
        get = record.get
        inconsistent = tuple(
            [
                name
                for name, (first, second), (first_value, second_value) in self._consistency_rules
                if (get(first) == first_value) != (get(second) == second_value)
            ]
        )
        unknown = () if record.keys() <= self._known else tuple([name for name in record if name not in self._known])
        return Accepted(row, inconsistent, unknown)

    def _rejected(self, record: dict[str, object], reason: Reason, field: str) -> Rejected:
        """Reject a record, for a reason that concerns the whole record if one applies, else for that of the field."""
        if record.get(self._key) is None:
            return Rejected(Reason.NO_KEY, self._key)
        if not any(name in record for name in self._required_non_key):
            return Rejected(Reason.OTHER_RECORD_TYPE)
        return Rejected(reason, field, orjson.dumps(record[field]).decode() if field in record else None)


def _column_reader(column: Column, indexes: list[int]) -> Callable[[Values], object]:
    """Return a function that makes the column's value from the cleaned values of the fields at `indexes`."""
    match column.combine:
        case None:
            return itemgetter(indexes[0])
        case Combine.ARRAY:
            return lambda values: [values[index] for index in indexes]
        case Combine.FIRST:
            return lambda values: next((values[index] for index in indexes if values[index] is not None), None)
        case Combine.SPACE_JOINED:
            return lambda values: " ".join([values[index] for index in indexes if values[index] is not None]) or None


@singledispatch
def cleaner(field: Field) -> Callable[[Any], object]:
    """Return the function that cleans a value of this field.

    It raises TypeError for a wrong JSON type, and ValueError for a value that no rule accepts.
    """
    raise NotImplementedError(f"no cleaning rule for fields of type {type(field).__name__}")


@cleaner.register
def _text(field: Text) -> Callable[[Any], str | None]:
    sentinels = frozenset(field.sentinels)

    def clean(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
        if value is None:
            return None
        if type(value) is not str:
            raise TypeError
        if value in sentinels or (value[:1] in BLANKS and not value.strip(BLANKS)):
            return None
        return value

    return clean


@cleaner.register
def _magnitude(field: Magnitude) -> Callable[[Any], int | None]:
    text = _text(field)

    def clean(value: Any) -> int | None:  # noqa: ANN401
        abbreviated = text(value)
        return None if abbreviated is None else _whole_number(abbreviated)

    return clean


@lru_cache(maxsize=10_000)
def _whole_number(abbreviated: str) -> int:
    """Return the number that a text such as `1.2k` abbreviates; most of these texts occur many times."""
    match = MAGNITUDE.fullmatch(abbreviated)
    if match is None:
        raise ValueError
    digits, suffix = match.groups()
    number = Decimal(digits) * FACTORS[suffix.lower()]
    whole = int(number)
    if number != whole or whole > MAX_BIGINT:
        raise ValueError
    return whole


@cleaner.register
def _prefixed_path(field: PrefixedPath) -> Callable[[Any], str | None]:
    text, prefix = _text(field), field.prefix

    def clean(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
        prefixed = text(value)
        path = None if prefixed is None else prefixed.removeprefix(prefix)
        if path is not None and not path.startswith("/"):
            raise ValueError
        return path

    return clean


@cleaner.register
def _integer(field: Integer) -> Callable[[Any], int]:
    minimum, maximum = field.minimum, field.maximum

    def clean(value: Any) -> int:  # noqa: ANN401
        if type(value) is int:
            if minimum <= value <= maximum:
                return value
            raise ValueError
        # orjson parses numbers with a fraction, and those beyond 64 bits, as floats.
        raise ValueError if type(value) is float else TypeError

    return clean


@cleaner.register
def _number(field: Number) -> Callable[[Any], float]:
    minimum, maximum = field.minimum, field.maximum

    def clean(value: Any) -> float:  # noqa: ANN401
        if type(value) is not float and type(value) is not int:
            raise TypeError
        if minimum <= value <= maximum:
            return float(value)
        raise ValueError

    return clean


@cleaner.register
def _timestamp(_field: Timestamp) -> Callable[[Any], datetime]:
    def clean(value: Any) -> datetime:  # noqa: ANN401
        if type(value) is not str:
            raise TypeError
        match = TIMESTAMP.fullmatch(value)
        if match is None:
            raise ValueError
        if match[2] is None:
            return datetime.fromisoformat(f"{value}Z")
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except OverflowError:  # a year before 1 or after 9999
            raise ValueError from None

    return clean
