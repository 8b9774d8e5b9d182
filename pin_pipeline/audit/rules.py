"""The cleaning rules once more, in plain Python: what should have become of a record, said by nobody who cleaned it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial, singledispatch
from typing import NamedTuple

import orjson

from pin_pipeline.records import Column, Combine, RecordKind
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)([kKmMbB]?)", re.ASCII)
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
MAX_BIGINT = 2**63 - 1

Row = tuple[object, ...]
Rule = Callable[[object], object]


class Problem(NamedTuple):
    """Why a record belongs into quarantine."""

    reason: Reason
    field: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


class Rules:
    """What should become of the records of one kind."""

    def __init__(self, kind: RecordKind) -> None:
        self._kind = kind
        self._rules = [(field.name, field.required, rule(field)) for field in kind.fields]
        self._others = [field.name for field in kind.fields if field.required and field.name != kind.key]

    def expected(self, value: bytes | None) -> Row | Problem:
        """The published row of a record, in the order of the kind's columns, or why there must be none."""
        try:
            record = orjson.loads(value or b"")
        except orjson.JSONDecodeError:
            return Problem(Reason.NOT_JSON)
        problem = self._record_problem(record)
        if problem is not None:
            return problem
        clean: dict[str, object] = {}
        for name, required, clean_value in self._rules:
            if name in record:
                try:
                    clean[name] = clean_value(record[name])
                except (TypeError, ValueError) as error:
                    return Problem(Reason.WRONG_TYPE if isinstance(error, TypeError) else Reason.INVALID_VALUE, name)
            elif required:
                return Problem(Reason.MISSING_FIELD, name)
        return tuple(_published(column, clean) for column in self._kind.columns)

    def _record_problem(self, record: object) -> Problem | None:
        if not isinstance(record, dict):
            return Problem(Reason.NOT_AN_OBJECT)
        if record.get(self._kind.key) is None:
            return Problem(Reason.NO_KEY, self._kind.key)
        if not any(name in record for name in self._others):
            return Problem(Reason.ANOTHER_KIND)
        return None


def _published(column: Column, clean: dict[str, object]) -> object:
    values = [clean.get(name) for name in column.fields]
    match column.combine:
        case None:
            return values[0]
        case Combine.ARRAY:
            return values
        case Combine.WORDS:
            return " ".join(str(value) for value in values if value is not None) or None


@singledispatch
def rule(field: Field) -> Rule:
    """What cleans a value of the field: raises TypeError for a wrong type, ValueError for a value no rule covers."""
    raise NotImplementedError(f"no rule for fields of type {type(field).__name__}")


def said(field: Text, value: object) -> str | None:
    """The text of a value, None where it says nothing."""
    if value is None:
        return None
    if type(value) is not str:
        raise TypeError
    return None if value in field.sentinels or not value.strip(BLANKS) else value


@rule.register
def _text(field: Text) -> Rule:
    return partial(said, field)


@rule.register
def _magnitude(field: Magnitude) -> Rule:
    def clean(value: object) -> int | None:
        written = said(field, value)
        if written is None:
            return None
        match = MAGNITUDE.fullmatch(written)
        if match is None:
            raise ValueError
        number = Decimal(match[1]) * FACTORS[match[2].lower()]
        if number != int(number) or number > MAX_BIGINT:
            raise ValueError
        return int(number)

    return clean


@rule.register
def _prefixed_path(field: PrefixedPath) -> Rule:
    def clean(value: object) -> str | None:
        written = said(field, value)
        path = None if written is None else written.removeprefix(field.prefix)
        if path is not None and not path.startswith("/"):
            raise ValueError
        return path

    return clean


@rule.register
def _integer(field: Integer) -> Rule:
    def clean(value: object) -> int:
        if type(value) is not int:
            raise TypeError
        if not field.minimum <= value <= field.maximum:
            raise ValueError
        return value

    return clean


@rule.register
def _number(field: Number) -> Rule:
    def clean(value: object) -> float:
        if type(value) is not int and type(value) is not float:
            raise TypeError
        if not field.minimum <= value <= field.maximum:
            raise ValueError
        return float(value)

    return clean


@rule.register
def _timestamp(field: Timestamp) -> Rule:  # noqa: ARG001 - every rule is made from its field
    def clean(value: object) -> datetime:
        if type(value) is not str:
            raise TypeError
        if TIMESTAMP.fullmatch(value) is None:
            raise ValueError
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    return clean
