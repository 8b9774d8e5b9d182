"""Dialects of CSV and tab-separated files: a file is read exactly, or refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pin_pipeline.emulator import delimited
from pin_pipeline.emulator.delimited import Dialect, FormatError, read_delimited
from pin_pipeline_tests.emulator.source_rows import MANY_EXAMPLES

NAMES = ["first", "second"]
TEXT = st.text(st.sampled_from('ab,"\\\t\r\n0NtrnU \0é') | st.characters(codec="utf-8"), max_size=12)
TEXT_BUT_NULL = TEXT.filter(lambda text: text != "NULL")  # refused in files with tabs
TABLES = st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=4)
TABLES_WITHOUT_NULL = st.lists(st.lists(TEXT_BUT_NULL, min_size=2, max_size=2), min_size=1, max_size=4)
NULLABLE_TABLES = st.lists(st.lists(st.none() | TEXT_BUT_NULL, min_size=2, max_size=2), min_size=1, max_size=4)
ESCAPES = {
    ",": {"\\": "\\\\", '"': '\\"', "\n": "\\\n", "\0": "\\0"},
    "\t": {"\\": "\\\\", "\t": "\\\t", "\n": "\\\n", "\0": "\\0"},
    "batch": {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"},
}
"""Escapes that MySQL writes, by separator of `INTO OUTFILE`, and of `mysql --batch`."""

Table = list[list[str | None]]


def read(path: Path, content: str, dialect: Dialect | None = None) -> Table:
    path.write_bytes(content.encode())
    return [row.cells for row in read_delimited(path, dialect)][1:]


def rfc4180(table: Table, end: str = "\r\n", separator: str = ",") -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=end, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([NAMES, *table])
    return file.getvalue()


def mysql(table: Table, separator: str = ",", escapes: dict[str, str] | None = None) -> str:
    escapes = ESCAPES[separator] if escapes is None else escapes
    quote = '"' if separator == "," else ""

    def cell(text: str | None) -> str:
        return r"\N" if text is None else f"{quote}{''.join(escapes.get(char, char) for char in text)}{quote}"

    return "".join(separator.join(line) + "\n" for line in [NAMES, *([cell(text) for text in row] for row in table)])


@MANY_EXAMPLES
@given(table=TABLES, end=st.sampled_from(["\n", "\r\n"]), mark=st.sampled_from(["", "\ufeff"]))
@example(table=[['quotes "" and, comma', "two\r\nlines"]], end="\r\n", mark="\ufeff")
@example(table=[["C:\\temp", "\\\\server"]], end="\n", mark="")
def test_rfc4180_file_is_read_exactly_in_its_dialect_and_else_exactly_or_refused(
    tmp_path: Path, table: Table, end: str, mark: str
) -> None:
    content = mark + rfc4180(table, end)
    assert read(tmp_path / "file", content, Dialect.RFC4180) == table
    try:
        assert read(tmp_path / "file", content) == table
    except FormatError:
        assert "\\" in content


@MANY_EXAMPLES
@given(table=NULLABLE_TABLES, separator=st.sampled_from([",", "\t"]))
@example(table=[[None, "C:\\temp"], ['say "hi"', "two\nlines"]], separator=",")
@example(table=[[None, "C:\\temp"], ['"say"', "two\nlines\t"]], separator="\t")
@example(table=[["a\\", "b"]], separator=",")
def test_mysql_file_is_read_exactly_in_its_dialect_and_else_exactly_or_refused(
    tmp_path: Path, table: Table, separator: str
) -> None:
    content = mysql(table, separator)
    assert read(tmp_path / "file", content, Dialect.MYSQL) == table
    try:
        assert read(tmp_path / "file", content) == table
    except FormatError as error:
        assert "--dialect" in str(error)  # noqa: PT017 - refused, or exact


@MANY_EXAMPLES
@given(table=TABLES_WITHOUT_NULL)
@example(table=[["C:\\temp\\new", "tab\t and\nline"]])
def test_mysql_batch_output_is_read_exactly_in_its_dialect(tmp_path: Path, table: Table) -> None:
    content = mysql(table, "\t", ESCAPES["batch"])
    assert read(tmp_path / "file", content, Dialect.MYSQL) == table


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (r'"C:\\temp",\N', [r"C:\temp", None]),
        (r'"say \"hi\"",x', ['say "hi"', "x"]),
        (r"C:\temp,x", [r"C:\temp", "x"]),
        (r'"C:\",x', ["C:\\", "x"]),
        (r'"a ""b""",\N', ['a "b"', None]),
        (r"\N,\N", [None, None]),
        (r'"a \" b",\N', ['a " b', None]),
    ],
)
def test_dialect_is_recognized_by_what_only_it_allows(tmp_path: Path, line: str, cells: list[str | None]) -> None:
    assert read(tmp_path / "file", f"first,second\nx,y\n{line}\n") == [["x", "y"], cells]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('first,second\n"C:\\\\temp",x\n', 2, r'a cell is "C:\\\\\\\\temp" by RFC 4180, but "C:\\\\temp" in an export'),
        (
            "first,second\n\\N,x\nC:\\temp,x\n",
            3,
            r"backslash in a file with \\N for null: expected the escapes of MySQL",
        ),
        ('first,second\n\\N,"a ""b"" \\\\ c"\n', 2, r"backslash in a file with \\N for null"),
        ('first,second\n"\\N",x\n', 2, r'"\\N" is either null or text: expected \\N without quotes for null'),
        ("first\tsecond\nNULL\tx\n", 2, r"NULL is either null or text in a file with tabs: expected \\N for null"),
        ('first\tsecond\n"a"\tb\n', 2, 'a cell is "a" by RFC 4180, but .* in an export of MySQL'),
        ("first,second\na\n", 2, "1 cells, expected 2 as in the first line"),
        ('first,second\n"a,b\nc,d\n', 2, "misplaced quote or line break in cell 1"),
    ],
)
def test_file_with_two_readings_or_none_is_refused_with_its_line(
    tmp_path: Path, content: str, line: int, message: str
) -> None:
    with pytest.raises(FormatError, match=message) as error:
        read(tmp_path / "file", content)
    assert error.value.line == line


def test_row_without_closing_quote_is_refused_before_the_whole_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "MAX_ROW_CHARACTERS", 100)
    with pytest.raises(FormatError, match="the row has more than 100 characters: expected a closing quote"):
        read(tmp_path / "file", 'first,second\n"a,b\n' + "c,d\n" * 1_000)


def test_file_with_tabs_and_crlf_is_read_without_carriage_returns(tmp_path: Path) -> None:
    assert read(tmp_path / "file", "first\tsecond\r\n\\N\tb\\\\\r\n", Dialect.MYSQL) == [[None, "b\\"]]
    assert read(tmp_path / "file", "first\tsecond\n\\N\tb\\\\\r\n", Dialect.MYSQL) == [[None, "b\\\r"]]
