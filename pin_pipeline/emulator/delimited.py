"""Reader of CSV and tab-separated files in the dialects of RFC 4180 and of MySQL's exports.

The dialects give the same bytes different meanings. So a file is read only if its dialect is certain: no line of it is
valid in the other one, or both read the same cells.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from pin_pipeline.emulator.values import MAX_TEXT_BYTES, describe
from pin_pipeline.errors import PipelineError

NULL = r"\N"
"""Null, as in the exports of MySQL."""
MAX_ROW_CHARACTERS = 4 * MAX_TEXT_BYTES
"""Longer rows are refused, so that a missing quote does not read the whole file into memory. Escapes at most double
the longest text."""
UNUSUAL = re.compile(r'["\\\r]')
"""Characters without which a row is split at its separators, which is three times as fast."""
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {
    ",": {"\\": "\\", '"': '"', ",": ",", "\n": "\n", "\r": "\r", "0": "\0"},
    "\t": {"\\": "\\", "\t": "\t", "t": "\t", "\n": "\n", "n": "\n", "0": "\0"},
}
"""Escapes that MySQL writes, by separator: `INTO OUTFILE` puts a backslash before the character itself, `mysql --batch`
before a letter."""

Cells = list[str | None]


class Dialect(StrEnum):
    r"""Format of a CSV or tab-separated file.

    `rfc4180`: quotes are doubled in a quoted cell, and a backslash is text. `mysql`: a backslash begins an escape, and
    `\N` is null, as written by `SELECT ... INTO OUTFILE` with commas and quotes or with tabs, and by `mysql --batch`.
    """

    RFC4180 = "rfc4180"
    MYSQL = "mysql"


class FormatError(PipelineError):
    """Raised when a file is not in the expected format.

    Attributes:
        line: number of the line.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Row:
    """Cells of a row, None for null, and the number of its first line."""

    line: int
    cells: Cells


def read_delimited(path: Path, dialect: Dialect | None) -> Iterator[Row]:
    r"""Read all rows of a file, the first line included; every row has as many cells as the first one.

    Args:
        path: file in UTF-8, with commas, or with tabs if the first line has no comma.
        dialect: format of the file; None to recognize it by the contents. Only then, `\N` is also null in a file of RFC
            4180 that has no other backslash.

    Raises:
        OSError: the file cannot be read.
        FormatError: a line is not in the dialect, or the contents allow two readings.
    """
    return _read(path, dialect or _recognize(path), null_marker=dialect is None)


def _recognize(path: Path) -> Dialect:
    """Return the only dialect in which the whole file can be read, or either one if both read the same cells."""
    with path.open("rb") as file:
        if b"," in (header := file.readline()) and b"\\" not in header and not any(b"\\" in line for line in file):
            return Dialect.RFC4180
    rfc4180, mysql = (_first_error(_read(path, dialect, null_marker=True)) for dialect in Dialect)
    if rfc4180 and mysql:
        raise max(rfc4180, mysql, key=lambda error: error.line)
    if rfc4180 or mysql:
        return Dialect.MYSQL if rfc4180 else Dialect.RFC4180
    for first, second in zip(*(_read(path, dialect, null_marker=True) for dialect in Dialect), strict=False):
        if first != second:
            raise _ambiguous(first, second)
    return Dialect.RFC4180


def _first_error(rows: Iterator[Row]) -> FormatError | None:
    try:
        deque(rows, maxlen=0)
    except FormatError as error:
        return error
    return None


def _ambiguous(rfc4180: Row, mysql: Row) -> FormatError:
    pairs = zip(rfc4180.cells, mysql.cells, strict=False)
    first, second = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    return FormatError(
        rfc4180.line,
        f"a cell is {describe(first)} by RFC 4180, but {describe(second)} in an export of MySQL:"
        " choose one with --dialect",
    )


def _read(path: Path, dialect: Dialect, *, null_marker: bool) -> Iterator[Row]:
    with path.open("rb") as file:
        header = file.readline()
        file.seek(0)
        separator = "\t" if b"\t" in header and b"," not in header else ","
        syntax = _Syntax(separator, escapes=dialect is Dialect.MYSQL, null_marker=null_marker)
        # Without quotes, a carriage return is part of the last cell, unless all lines end with it.
        lines = _lines(file, b"\r\n" if not syntax.quotes and header.endswith(b"\r\n") else b"\n")
        yield from _rows(lines, syntax)


def _lines(file: Iterable[bytes], end: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(number, f"expected UTF-8, found byte 0x{line[error.start]:02x}") from None
        yield number, text.removesuffix("\r\n") + "\n" if line.endswith(b"\r\n") and end == b"\r\n" else text


@dataclass(frozen=True)
class _Syntax:
    """Characters with a meaning: the separator, quotes, and in exports of MySQL the backslash.

    `INTO OUTFILE` writes quotes only if it is told to, which is usual for commas, and `mysql --batch` never does.
    """

    separator: str
    escapes: bool
    null_marker: bool

    @property
    def quotes(self) -> bool:
        return not self.escapes or self.separator == ","

    @cached_property
    def cell(self) -> re.Pattern[str]:
        quoted, special = (r'[^"]*(?:""[^"]*)*', f'"{self.separator}\r\n') if self.quotes else ("(?!)", "\t\n")
        plain = f"[^{special}]*"
        if self.escapes:
            quoted = r'[^"\\]*(?:\\.[^"\\]*)*' if self.quotes else quoted
            plain = rf"[^{special}\\]*(?:\\.[^{special}\\]*)*"
        return re.compile(
            rf'(?:"(?P<quoted>{quoted})"|(?P<plain>{plain}))(?P<end>{self.separator}|\r?\n|\Z)', re.DOTALL
        )

    def is_open(self, line: str, *, in_quotes: bool) -> tuple[bool, bool]:
        """Return whether a row continues after this line, and whether within quotes."""
        bare = ESCAPE.sub("", line) if self.escapes and "\\" in line else line
        in_quotes ^= self.quotes and bare.count('"') % 2 == 1
        return in_quotes or (bare != line and line.endswith("\n") and not bare.endswith("\n")), in_quotes

    def cells(self, row: str) -> Cells:
        """Split a row into its cells; raises ValueError if it is not in this syntax."""
        line = row.removesuffix("\r\n" if self.quotes and row.endswith("\r\n") else "\n")
        if not UNUSUAL.search(line):
            return list(line.split(self.separator))
        cells: Cells = []
        position, end = 0, self.separator
        while end == self.separator:
            match = self.cell.match(row, position)
            if match is None:
                raise ValueError(f"misplaced quote or line break in cell {len(cells) + 1}")
            cells.append(self._value(match))
            position, end = match.end(), match["end"]
        if position < len(row):
            raise ValueError(f"misplaced quote or line break in cell {len(cells)}")
        return cells

    def _value(self, cell: re.Match[str]) -> str | None:
        if cell["plain"] == NULL and (self.escapes or self.null_marker):
            return None
        if self.escapes:
            return self._unescaped(cell["quoted"] or cell["plain"] or "")
        if cell["quoted"] == NULL and self.null_marker:
            raise ValueError(f'"{NULL}" is either null or text: expected {NULL} without quotes for null')
        return cell["plain"] if cell["quoted"] is None else cell["quoted"].replace('""', '"')

    def _unescaped(self, text: str) -> str:
        try:
            return ESCAPE.sub(lambda escape: ESCAPES[self.separator][escape[1]], text)
        except KeyError as error:
            raise ValueError(f"{describe(chr(92) + error.args[0])} is not an escape of MySQL") from None


def _rows(lines: Iterable[tuple[int, str]], syntax: _Syntax) -> Iterator[Row]:
    width = 0
    has_null = has_backslash = False
    for number, text in _joined(lines, syntax):
        if not text.strip("\r\n"):
            continue
        try:
            cells = syntax.cells(text)
            width = width or len(cells)
            _check_cells(cells, width, syntax)
            if not syntax.escapes and syntax.null_marker and "\\" in text:
                has_null |= None in cells
                has_backslash |= any("\\" in cell for cell in cells if cell)
                _check_backslashes(has_null=has_null, has_backslash=has_backslash)
        except ValueError as error:
            raise FormatError(number, str(error)) from None
        yield Row(number, cells)


def _check_cells(cells: Cells, width: int, syntax: _Syntax) -> None:
    if len(cells) != width:
        raise ValueError(f"{len(cells)} cells, expected {width} as in the first line")
    if syntax.separator == "\t" and "NULL" in cells:
        raise ValueError(f"NULL is either null or text in a file with tabs: expected {NULL} for null")


def _check_backslashes(*, has_null: bool, has_backslash: bool) -> None:
    """Exclude text with backslashes beside the marker of null: it would have escapes."""
    if has_null and has_backslash:
        raise ValueError(f"backslash in a file with {NULL} for null: expected the escapes of MySQL")


def _joined(lines: Iterable[tuple[int, str]], syntax: _Syntax) -> Iterator[tuple[int, str]]:
    """Join the lines of each row."""
    parts: list[str] = []
    first, characters, in_quotes = 1, 0, False
    for number, line in lines:
        first = number if not parts else first
        parts.append(line)
        characters += len(line)
        if characters > MAX_ROW_CHARACTERS:
            raise FormatError(first, f"the row has more than {MAX_ROW_CHARACTERS} characters: expected a closing quote")
        is_open, in_quotes = syntax.is_open(line, in_quotes=in_quotes)
        if not is_open:
            yield first, "".join(parts)
            parts, characters = [], 0
    if parts:
        yield first, "".join(parts)
