"""The cleaning rules in plain Python: what becomes of a record, without Spark.

The gateway refuses by them, and the auditor expects by them what the cleaning, which has them as Spark columns, should
have made of a record.
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
from pin_pipeline.records.kind import Column, Combine, RecordKind
from pin_pipeline.records.reasons import Reason

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)", re.ASCII)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?", re.ASCII)
MAX_BIGINT = 2**63 - 1

# What Spark's JSON parser reads: the defaults of Jackson's StreamReadConstraints.
MAX_NESTING, MAX_NUMBER, MAX_NAME = 1_000, 1_000, 50_000
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
NAME = re.compile(rb'("(?:[^"\\]|\\.)*")[ \t\r\n]*:')
NUMBER = re.compile(rb"[0-9.eE+-]+")
BRACKET = re.compile(rb"[\[{]|[\]}]")
# A number of more than `MAX_NUMBER` characters shows in every hundredth of them.
LONG_NUMBER = re.compile(rb"[0-9.eE+-]{10}")

Values = list[Any]
Row = tuple[object, ...]


class Problem(NamedTuple):
    """Why a record belongs into quarantine."""

    reason: Reason
    field: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


class Rules:
    """What should become of the records of one kind."""

    def __init__(self, kind: RecordKind) -> None:
        places = {field.name: place for place, field in enumerate(kind.fields)}
        self._key = kind.key
        self._others = [field.name for field in kind.fields if field.required and field.name != kind.key]
        self._fields = [(field.name, field.required, rule(field)) for field in kind.fields]
        self._columns = [_column(column, [places[name] for name in column.fields]) for column in kind.columns]

    def expected(self, value: bytes | None) -> Row | Problem:
        """The published row of a record, in the order of the kind's columns, or why there must be none."""
        record = _read(value or b"")
        if isinstance(record, Problem):
            return record
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
        return tuple([column(values) for column in self._columns])

    def _problem(self, record: dict[str, object], reason: Reason, field: str) -> Problem:
        """The problem of the record as a whole, else that of the field."""
        if record.get(self._key) is None:
            return Problem(Reason.NO_KEY, self._key)
        if not any(name in record for name in self._others):
            return Problem(Reason.ANOTHER_KIND)
        return Problem(reason, field)


def _read(value: bytes) -> dict[str, object] | Problem:
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Problem(Reason.NOT_JSON)
    if not isinstance(record, dict):
        return Problem(Reason.NOT_AN_OBJECT)
    return Problem(Reason.BEYOND_LIMITS) if len(value) > MAX_NESTING and _beyond_limits(value) else record


def _beyond_limits(value: bytes) -> bool:
    """Whether JSON text is more than Spark's parser reads; what is cheap to say of every record comes first."""
    if value.count(b"[") + value.count(b"{") > MAX_NESTING:
        depth = deepest = 0
        for bracket in BRACKET.findall(STRING.sub(b"", value)):
            depth += 1 if bracket in b"[{" else -1
            deepest = max(deepest, depth)
        if deepest > MAX_NESTING:
            return True
    if LONG_NUMBER.search(value[::100]) and any(
        _digits(number) > MAX_NUMBER for number in NUMBER.findall(STRING.sub(b" ", value))
    ):
        return True
    return len(value) > MAX_NAME and any(len(orjson.loads(name)) > MAX_NAME for name in NAME.findall(value))


def _digits(number: bytes) -> int:
    """How many digits Jackson counts: all but the zero before the point."""
    digits = number.translate(None, b".eE+-")
    return len(digits) - digits.startswith(b"0")


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
