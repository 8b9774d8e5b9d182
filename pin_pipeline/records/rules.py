"""The cleaning rules in plain Python: what becomes of a record, without Spark.

The gateway refuses by them, and the cleaning publishes by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import singledispatch
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.record_type import Column, Combine, ConsistencyRule, RecordType

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)", re.ASCII)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?", re.ASCII)
MAX_BIGINT = 2**63 - 1

Values = list[Any]
Row = tuple[object, ...]


class Rejected(NamedTuple):
    """Why a record belongs into quarantine: the field that it is about, and that field's value as JSON."""

    reason: Reason
    field: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


class Accepted(NamedTuple):
    """What is published of a record.

    Attributes:
        row: its cells in the order of the kind's columns.
        inconsistent: the names of what should go together, but does not in this record.
        unknown: the names of its fields that the kind does not have.
    """

    row: Row
    inconsistent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Validator:
    """What becomes of the records of one kind."""

    def __init__(self, record_type: RecordType) -> None:
        places = {field.name: place for place, field in enumerate(record_type.fields)}
        self._key = record_type.key
        self._others = [field.name for field in record_type.fields if field.required and field.name != record_type.key]
        self._fields = [(field.name, field.required, rule(field)) for field in record_type.fields]
        self._columns = [_column(column, [places[name] for name in column.fields]) for column in record_type.columns]
        self._known = places.keys()
        self._consistency_rules = record_type.consistency_rules

    def validate(self, value: bytes | None) -> Accepted | Rejected:
        """What is published of a record, or why nothing is; None is a tombstone."""
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
                    return self._problem(record, Reason.MISSING_FIELD, name)
                else:
                    values.append(None)
        except TypeError:
            return self._problem(record, Reason.WRONG_TYPE, name)
        except ValueError:
            return self._problem(record, Reason.INVALID_VALUE, name)
        row = tuple([column(values) for column in self._columns])
        inconsistent = tuple([pair.name for pair in self._consistency_rules if _is_inconsistent(pair, record)])
        unknown = () if record.keys() <= self._known else tuple([name for name in record if name not in self._known])
        return Accepted(row, inconsistent, unknown)

    def _problem(self, record: dict[str, object], reason: Reason, field: str) -> Rejected:
        """The problem of the record as a whole, else that of the field."""
        if record.get(self._key) is None:
            return Rejected(Reason.NO_KEY, self._key)
        if not any(name in record for name in self._others):
            return Rejected(Reason.OTHER_RECORD_TYPE)
        return Rejected(reason, field, orjson.dumps(record[field]).decode() if field in record else None)


def _is_inconsistent(pair: ConsistencyRule, record: dict[str, object]) -> bool:
    (one, other), (value, others) = pair.fields, pair.values
    return (record.get(one) == value) != (record.get(other) == others)


def _column(column: Column, places: list[int]) -> Callable[[Values], object]:
    match column.combine:
        case None:
            return itemgetter(places[0])
        case Combine.ARRAY:
            return lambda values: [values[place] for place in places]
        case Combine.WORDS:
            return lambda values: " ".join([values[place] for place in places if values[place] is not None]) or None


@singledispatch
def rule(field: Field) -> Callable[[Any], object]:
    """What cleans a value of the field: raises TypeError for a wrong type, ValueError for a value no rule covers."""
    raise NotImplementedError(f"no rule for fields of type {type(field).__name__}")


@rule.register
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


@rule.register
def _magnitude(field: Magnitude) -> Callable[[Any], int | None]:
    text = _text(field)

    def clean(value: Any) -> int | None:  # noqa: ANN401
        written = text(value)
        if written is None:
            return None
        match = MAGNITUDE.fullmatch(written)
        if match is None:
            raise ValueError
        digits, suffix = match.groups()
        number = Decimal(digits) * FACTORS[suffix.lower()]
        whole = int(number)
        if number != whole or whole > MAX_BIGINT:
            raise ValueError
        return whole

    return clean


@rule.register
def _prefixed_path(field: PrefixedPath) -> Callable[[Any], str | None]:
    text, prefix = _text(field), field.prefix

    def clean(value: Any) -> str | None:  # noqa: ANN401
        written = text(value)
        path = None if written is None else written.removeprefix(prefix)
        if path is not None and not path.startswith("/"):
            raise ValueError
        return path

    return clean


@rule.register
def _integer(field: Integer) -> Callable[[Any], int]:
    minimum, maximum = field.minimum, field.maximum

    def clean(value: Any) -> int:  # noqa: ANN401
        if type(value) is int:
            if minimum <= value <= maximum:
                return value
            raise ValueError
        # A number with a fraction, and one too large to be anything but a float.
        raise ValueError if type(value) is float else TypeError

    return clean


@rule.register
def _number(field: Number) -> Callable[[Any], float]:
    minimum, maximum = field.minimum, field.maximum

    def clean(value: Any) -> float:  # noqa: ANN401
        if type(value) is not float and type(value) is not int:
            raise TypeError
        if minimum <= value <= maximum:
            return float(value)
        raise ValueError

    return clean


@rule.register
def _timestamp(_field: Timestamp) -> Callable[[Any], datetime]:
    def clean(value: Any) -> datetime:  # noqa: ANN401
        if type(value) is not str:
            raise TypeError
        match = TIMESTAMP.fullmatch(value)
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(value)
        if match[2] is None:
            return moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # a year before 1 or after 9999
            raise ValueError from None

    return clean
