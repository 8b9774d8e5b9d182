"""Source rows from JSON lines or CSV, checked against the types of their kind; its value rules are the cleaning's."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial, singledispatch
from pathlib import Path

import orjson

from pin_pipeline.records import RecordType
from pin_pipeline.records.fields import MAX_INT, Field, Integer, Number, Text, Timestamp

SHOWN_CHARACTERS = 80
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)

NULL = r"\N"

Row = dict[str, object]
Reader = Callable[[], Row]


class RowError(ValueError):
    """A line is no row of its kind; names the file, the line, the field and what was expected."""


def read(record_type: RecordType, path: Path) -> Iterator[Row]:
    """The rows of a file, columns in stored order, timestamps as naive UTC.

    A file named `.csv` has the columns' names in its first line, and `\\N` for null, as MySQL exports it. Any other has
    JSON lines, of which blank ones are skipped.

    Raises:
        OSError: the file cannot be read.
        RowError: a line is no row of this kind.
    """
    lines = _csv(record_type, path) if path.suffix.lower() == ".csv" else _json_lines(record_type, path)
    for number, record in lines:
        try:
            row = _row(record_type, record())
        except ValueError as error:
            raise RowError(f"{path}, line {number}: {error}") from None
        yield row


def _json_lines(record_type: RecordType, path: Path) -> Iterator[tuple[int, Reader]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, partial(_json, record_type, line)


def _json(record_type: RecordType, line: bytes) -> Row:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found no valid JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found {_shown(record)}")  # noqa: TRY004
    return record


def _csv(record_type: RecordType, path: Path) -> Iterator[tuple[int, Reader]]:
    numbers = {field.name for field in record_type.fields if isinstance(field, Integer | Number)}
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, restkey="", restval=None, strict=True)
        try:
            for cells in lines:
                yield lines.line_num, partial(_cells, cells, numbers)
        except (csv.Error, UnicodeDecodeError) as error:
            raise RowError(f"{path}, line {lines.line_num + 1}: expected CSV in UTF-8, found {error}") from None


def _cells(cells: dict[str, str | None], numbers: set[str]) -> Row:
    if "" in cells:
        raise ValueError("there are more cells than columns in the first line")
    if short := [name for name, cell in cells.items() if cell is None]:
        raise ValueError(f"there is no cell for column {short[0]!r}")
    texts = {name: None if cell == NULL else cell for name, cell in cells.items()}
    return {name: _number(text) if name in numbers else text for name, text in texts.items()}


def _number(text: str | None) -> object:
    """The number that a text says, else the text: that it is none is found later, with the name of its field."""
    try:
        return orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return text


def _row(record_type: RecordType, record: Row) -> Row:
    unknown = sorted(record.keys() - {field.name for field in record_type.fields})
    if unknown:
        raise ValueError(f"field {unknown[0]!r} is unknown; expected the columns of {record_type.source_table}")
    return {field.name: _field(field, record) for field in record_type.fields}


def _field(field: Field, record: Row) -> object:
    if field.required and field.name not in record:
        raise ValueError(f"field {field.name!r} is missing")
    value = record.get(field.name)
    try:
        return _value(field, value)
    except ValueError as error:
        raise ValueError(f"field {field.name!r}: expected {error}, found {_shown(value)}") from None


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


@singledispatch
def _value(field: Field, value: object) -> object:
    """The value as its column holds it, or a ValueError that says what was expected."""
    raise NotImplementedError(type(field), value)


@_value.register
def _(_field: Text, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("text or null")


@_value.register
def _(_field: Integer, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
        return value
    raise ValueError(f"a whole number of at most {MAX_INT}")


@_value.register
def _(_field: Number, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError("a number")


@_value.register
def _(_field: Timestamp, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) and TIMESTAMP.fullmatch(value) else "")
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError("a time as YYYY-MM-DD HH:MM:SS or ISO 8601") from None
