"""Reader of source rows from JSON lines, CSV and tab-separated files.

It checks the types of the fields; values are validated later, by the cleaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path

import orjson

from pin_pipeline.emulator.delimited import Dialect, FormatError, read_delimited
from pin_pipeline.emulator.values import RowConverter, ValueRefusedError, describe
from pin_pipeline.errors import PipelineError
from pin_pipeline.records import RecordType
from pin_pipeline.records.fields import Integer, Number

DELIMITED_SUFFIXES = (".csv", ".tsv")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NAME_END = re.compile(rb'"\s*:')
LONG_NUMBER = re.compile(rb"[\d.]{17}")
"""A double represents every decimal of up to 15 digits."""

SourceRow = dict[str, object]
RowParser = Callable[[], SourceRow]
NumberParser = Callable[[str | None], object]


class RowError(PipelineError):
    """Raised when a file has a line that is not a valid row of its record type, or no rows."""


def read_rows(record_type: RecordType, path: Path, dialect: Dialect | None = None) -> Iterator[SourceRow]:
    r"""Read the rows of a file, with columns in stored order and timestamps as naive UTC datetimes.

    A file with the suffix `.csv` or `.tsv` has the column names in its first line. Any other file has JSON lines. Blank
    lines are skipped.

    Args:
        record_type: type of the rows.
        path: the file.
        dialect: format of a `.csv` or `.tsv` file; None to recognize it by the contents.

    Raises:
        OSError: the file cannot be read.
        RowError: a line is not a valid row of this record type, or the file has no rows. The remaining lines are read
            before, so that the message has the number of rejected rows.
    """
    delimited = path.suffix.lower() in DELIMITED_SUFFIXES
    parsers = _delimited(record_type, path, dialect) if delimited else _json_lines(record_type, path)
    converter = RowConverter(record_type.fields)
    rows, rejected, first_error = 0, 0, ""
    for number, parse in parsers:
        rows += 1
        try:
            row = _row(record_type, converter, parse())
        except ValueError as error:
            rejected += 1
            first_error = first_error or f"{path}, line {number}: {error}"
            continue
        if not rejected:
            yield row
    if rejected:
        raise RowError(f"{first_error}; no row was stored: {rows - rejected} skipped, {rejected} rejected")
    if not rows:
        raise RowError(f"{path} has no rows: expected rows of {record_type.source_table}")


def _json_lines(record_type: RecordType, path: Path) -> Iterator[tuple[int, RowParser]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            if text.strip():
                yield number, partial(_json, record_type, text)


def _json(record_type: RecordType, line: bytes) -> SourceRow:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found invalid JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a {record_type.name} row as a JSON object, found {describe(record)}")  # noqa: TRY004
    if len(NAME_END.findall(line)) > len(record):
        json.loads(line, object_pairs_hook=_unique)  # orjson keeps the last value of a repeated name
    if LONG_NUMBER.search(line):
        exact = json.loads(line, parse_float=Decimal)  # orjson rounds numbers to doubles
        names = [field.name for field in record_type.fields if isinstance(field, Number)]
        record |= {name: exact[name] for name in names if isinstance(record.get(name), float)}
    return record


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record: dict[str, object] = {}
    for name, value in pairs:
        if name in record:
            raise ValueError(f"field {name!r} occurs twice")
        record[name] = value
    return record


def _delimited(record_type: RecordType, path: Path, dialect: Dialect | None) -> Iterator[tuple[int, RowParser]]:
    parsers = {
        field.name: _exact_number if isinstance(field, Number) else _number
        for field in record_type.fields
        if isinstance(field, Integer | Number)
    }
    try:
        rows = read_delimited(path, dialect)
        header = next(rows, None)
        if header is None:
            return
        names = _column_names(record_type, header.cells)
        for row in rows:
            yield row.line, partial(_cells, dict(zip(names, row.cells, strict=True)), parsers)
    except FormatError as error:
        raise RowError(f"{path}, line {error.line}: {error}; no row was stored") from None
    except ValueError as error:
        raise RowError(f"{path}, line 1: {error}; no row was stored") from None


def _column_names(record_type: RecordType, cells: list[str | None]) -> list[str]:
    """Return the names in the first line; raises ValueError if they are not columns of this record type."""
    names = [str(cell or "") for cell in cells]
    expected = [field.name for field in record_type.fields]
    if "" in names:
        reason = "the line ends with a separator" if not names[-1] else "exports of pandas need index=False"
        raise ValueError(f"column {names.index('') + 1} has no name ({reason})")
    if unknown := next((name for name in names if name not in expected), None):
        raise ValueError(
            f"unknown column {unknown!r}: expected the names of the columns of {record_type.source_table}"
            f" ({', '.join(expected)})"
        )
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"column {repeated!r} occurs twice")
    if missing := next(
        (field.name for field in record_type.fields if field.required and field.name not in names), None
    ):
        raise ValueError(f"missing column {missing!r} of {record_type.source_table}")
    return names


def _cells(cells: dict[str, str | None], parsers: Mapping[str, NumberParser]) -> SourceRow:
    return {name: parsers[name](text) if name in parsers else text for name, text in cells.items()}


def _number(text: str | None) -> object:
    """Parse a number; other text is returned unchanged, and rejected later with the name of its field."""
    try:
        return orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return text


def _exact_number(text: str | None) -> object:
    """Parse a number as `_number`, but without rounding it to a double."""
    number = _number(text)
    return Decimal(text) if text and isinstance(number, float) else number


def _row(record_type: RecordType, converter: RowConverter, record: SourceRow) -> SourceRow:
    names = [field.name for field in record_type.fields]
    if unknown := next((name for name in record if name not in names), None):
        raise ValueError(f"unknown field {unknown!r}: expected the columns of {record_type.source_table}")
    for field in record_type.fields:
        if field.required and field.name not in record:
            raise ValueError(f"missing field {field.name!r}")
    try:
        return converter.convert(map(record.get, names))
    except ValueRefusedError as error:
        raise ValueError(f"field {error.field!r}: {error}") from None
