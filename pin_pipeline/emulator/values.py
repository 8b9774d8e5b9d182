"""Conversion of source values, from files and databases, to the types of their fields: unchanged, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from pin_pipeline.errors import PipelineError
from pin_pipeline.records.fields import MAX_INT, Field, Integer, Number, Text, Timestamp

MAX_TEXT_BYTES = 2**20
"""Kafka's default limit of a record, so no longer text can be posted."""
MAX_VALUE_CHARACTERS = 80
"""Longer values are truncated in error messages."""
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)


Convert = Callable[[object], object]
"""Function that converts a value: text unchanged, an equal int or float, or the same instant as a naive UTC datetime.
It raises ValueError with a description of the expected value."""


class ValueRefusedError(PipelineError):
    """Raised when a field cannot hold a value; the message says what was expected and found.

    Attributes:
        field: name of the field.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RowConverter:
    """Converter of the values of some fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        # Looked up once, since a lookup takes longer than most conversions.
        self._converters: list[tuple[str, Convert]] = [(field.name, _converter(field)) for field in fields]

    def convert(self, values: Iterable[object]) -> dict[str, object]:
        """Convert one value per field.

        Raises:
            ValueRefusedError: a field cannot hold its value.
        """
        row = {}
        for (name, convert), value in zip(self._converters, values, strict=True):
            try:
                row[name] = convert(value)
            except ValueError as error:
                raise ValueRefusedError(name, f"expected {error}, found {describe(value)}") from None
        return row


def describe(value: object) -> str:
    """Return a value as it is shown in an error message: as JSON, or as an SQL literal if it has no JSON form."""
    match value:
        case bytes():
            text = f"X'{value[:MAX_VALUE_CHARACTERS].hex()}'"
        case None | bool() | int() | float() | str() | list() | dict():
            text = orjson.dumps(value).decode() if not isinstance(value, int) else str(value).lower()
        case Decimal():
            text = str(value)
        case _:
            text = f"{type(value).__name__} {value}"
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"


def _converter(field: Field) -> Convert:
    """Return the converter of a field."""
    match field:
        case Text():
            return _text
        case Integer():
            return _integer
        case Number():
            return _number
        case Timestamp():
            return _timestamp
    raise NotImplementedError(type(field))


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("text or null")
    if value is not None and len(value) > MAX_TEXT_BYTES // 4 and len(value.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"text of at most {MAX_TEXT_BYTES} bytes")
    return value


def _integer(value: object) -> int:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
        return value
    raise ValueError(f"a whole number of at most {MAX_INT}")


def _number(value: object) -> float:
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


def _timestamp(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    try:
        timestamp = datetime.fromisoformat(value if isinstance(value, str) and TIMESTAMP.fullmatch(value) else "")
        return timestamp.astimezone(UTC).replace(tzinfo=None) if timestamp.tzinfo else timestamp
    except (ValueError, OverflowError):
        raise ValueError("a timestamp as YYYY-MM-DD HH:MM:SS or ISO 8601") from None
