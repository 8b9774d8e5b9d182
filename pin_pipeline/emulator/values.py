"""Conversion of source values, from files and databases, to the types of their fields: unchanged, or refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import singledispatch

import orjson

from pin_pipeline.records.fields import MAX_INT, Field, Integer, Number, Text, Timestamp

MAX_TEXT_BYTES = 2**20
"""Kafka's default limit of a record, so no longer text can be posted."""
MAX_VALUE_CHARACTERS = 80
"""Longer values are truncated in error messages."""
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)


def convert(field: Field, value: object) -> object:
    """Convert a value to the type of its field.

    Returns:
        Text unchanged, an equal int or float, or the same instant as a naive UTC datetime.

    Raises:
        ValueError: the field cannot hold the value; the message says what was expected and found.
    """
    try:
        return _convert(field, value)
    except ValueError as error:
        raise ValueError(f"expected {error}, found {describe(value)}") from None


def describe(value: object) -> str:
    """Return a value as it is shown in an error message: as JSON, or as an SQL literal if it has no JSON form."""
    match value:
        case bytes():
            text = f"X'{value[:MAX_VALUE_CHARACTERS].hex()}'"
        case None | bool() | int() | float() | str() | list() | dict():
            text = orjson.dumps(value).decode() if not isinstance(value, int) else str(value).lower()
        case _:
            text = f"{type(value).__name__} {value}"
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"


@singledispatch
def _convert(field: Field, value: object) -> object:
    """Convert a value to the type of its column; raises ValueError with a description of the expected value."""
    raise NotImplementedError(type(field), value)


@_convert.register
def _(_field: Text, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("text or null")
    if value is not None and len(value) > MAX_TEXT_BYTES // 4 and len(value.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"text of at most {MAX_TEXT_BYTES} bytes")
    return value


@_convert.register
def _(_field: Integer, value: object) -> int:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
        return value
    raise ValueError(f"a whole number of at most {MAX_INT}")


@_convert.register
def _(_field: Number, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("a number")  # noqa: TRY004 - like every other value that is refused
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    # JSON has the shortest decimal that stands for a double, so another number is unchanged if it equals that one.
    if abs(number) == float("inf") or (not isinstance(value, float) and Decimal(repr(number)) != value):
        raise ValueError("a number that a double represents exactly")
    return number


@_convert.register
def _(_field: Timestamp, value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    try:
        timestamp = datetime.fromisoformat(value if isinstance(value, str) and TIMESTAMP.fullmatch(value) else "")
        return timestamp.astimezone(UTC).replace(tzinfo=None) if timestamp.tzinfo else timestamp
    except (ValueError, OverflowError):
        raise ValueError("a timestamp as YYYY-MM-DD HH:MM:SS or ISO 8601") from None
