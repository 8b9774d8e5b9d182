"""Reader of source rows from JSON lines or CSV.

It checks the types of the fields; values are validated later, by the cleaning.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial, singledispatch
from pathlib import Path

import orjson

from pin_pipeline.errors import PipelineError
from pin_pipeline.records import RecordType
from pin_pipeline.records.fields import MAX_INT, Field, Integer, Number, Text, Timestamp

MAX_VALUE_CHARACTERS = 80
"""Longer values are truncated in error messages."""
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
NULL = r"\N"
"""Null in a CSV file, as in the exports of MySQL."""

SourceRow = dict[str, object]
RowParser = Callable[[], SourceRow]


class RowError(PipelineError):
    """Raised when a line of a file is not a valid row of its record type."""


def read_rows(record_type: RecordType, path: Path) -> Iterator[SourceRow]:
    """Read the rows of a file, with columns in stored order and timestamps as naive UTC datetimes.

    A file with the suffix `.csv` has the column names in its first line and `\\N` for null. Any other file has JSON
    lines; blank lines are skipped.

    Raises:
        OSError: the file cannot be read.
        RowError: a line is not a valid row of this record type.
    """
    lines = _csv(record_type, path) if path.suffix.lower() == ".csv" else _json_lines(record_type, path)
    for number, parse in lines:
        try:
            row = _row(record_type, parse())
        except ValueError as error:
            raise RowError(f"{path}, line {number}: {error}") from None
        yield row


def _json_lines(record_type: RecordType, path: Path) -> Iterator[tuple[int, RowParser]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, partial(_json, record_type, line)


def _json(record_type: RecordType, line: bytes) -> SourceRow:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found invalid JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found {_truncated(record)}")  # noqa: TRY004
    return record


def _csv(record_type: RecordType, path: Path) -> Iterator[tuple[int, RowParser]]:
    numbers = {field.name for field in record_type.fields if isinstance(field, Integer | Number)}
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, restkey="", restval=None, strict=True)
        try:
            for cells in lines:
                yield lines.line_num, partial(_cells, cells, numbers)
        except (csv.Error, UnicodeDecodeError) as error:
            raise RowError(f"{path}, line {lines.line_num + 1}: expected CSV in UTF-8, found {error}") from None


def _cells(cells: dict[str, str | None], numbers: set[str]) -> SourceRow:
    if "" in cells:
        raise ValueError("more cells than columns in the first line")
    if missing := [name for name, cell in cells.items() if cell is None]:
        raise ValueError(f"missing cell for column {missing[0]!r}")
    texts = {name: None if cell == NULL else cell for name, cell in cells.items()}
    return {name: _number(text) if name in numbers else text for name, text in texts.items()}


def _number(text: str | None) -> object:
    """Parse a number; other text is returned unchanged, and rejected later with the name of its field."""
    try:
        return orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return text


def _row(record_type: RecordType, record: SourceRow) -> SourceRow:
    unknown = sorted(record.keys() - {field.name for field in record_type.fields})
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}: expected the columns of {record_type.source_table}")
    return {field.name: _value(field, record) for field in record_type.fields}


def _value(field: Field, record: SourceRow) -> object:
    if field.required and field.name not in record:
        raise ValueError(f"missing field {field.name!r}")
    value = record.get(field.name)
    try:
        return _convert(field, value)
    except ValueError as error:
        raise ValueError(f"field {field.name!r}: expected {error}, found {_truncated(value)}") from None


def _truncated(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"


@singledispatch
def _convert(field: Field, value: object) -> object:
    """Convert a value to the type of its column; raises ValueError with a description of the expected value."""
    raise NotImplementedError(type(field), value)


@_convert.register
def _(_field: Text, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("text or null")


@_convert.register
def _(_field: Integer, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
        return value
    raise ValueError(f"a whole number of at most {MAX_INT}")


@_convert.register
def _(_field: Number, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError("a number")


@_convert.register
def _(_field: Timestamp, value: object) -> datetime:
    try:
        timestamp = datetime.fromisoformat(value if isinstance(value, str) and TIMESTAMP.fullmatch(value) else "")
        return timestamp.astimezone(UTC).replace(tzinfo=None) if timestamp.tzinfo else timestamp
    except (ValueError, OverflowError):
        raise ValueError("a timestamp as YYYY-MM-DD HH:MM:SS or ISO 8601") from None
