"""Rendering of rows: tables, the vertical layout and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pin_pipeline.cli import rows
from pin_pipeline.cli.rows import Row, print_fields, print_json, print_line, print_rows

Print = Callable[..., str]
NAMES = st.from_regex(r"[a-z_]{1,25}", fullmatch=True)
VALUES = st.one_of(st.none(), st.integers(), st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"])))
SAME_FIELDS = st.lists(NAMES, min_size=1, max_size=8, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, VALUES)), min_size=1, max_size=5)
)


@contextmanager
def terminal(width: int) -> Iterator[StringIO]:
    """Print to a terminal of this width."""
    output = StringIO()
    with patch.object(rows, "console", Console(file=output, width=width, highlight=False)):
        yield output


def printed(width: int, printed_rows: list[dict[str, Any]]) -> list[str]:
    with terminal(width) as output:
        print_rows(printed_rows)
    return [line.rstrip() for line in output.getvalue().splitlines()]


@given(width=st.integers(1, 250), some_rows=SAME_FIELDS)
def test_rows_are_never_cut_or_broken_at_any_width(width: int, some_rows: list[dict[str, Any]]) -> None:
    lines = printed(width, some_rows)
    text = "\n".join(lines)
    for row in some_rows:
        for name, value in row.items():
            assert value is None or str(value) in text
            assert name in "".join(text.split()) or all(part in text for part in name.split("_"))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_rows_have_one_field_per_line_if_their_table_is_too_wide(width: int) -> None:
    address = "http://127.0.0.1:8082/topics/pinterest.experimental_data"
    assert printed(width, [{"server": "gateway", "address": address}, {"server": "s3", "address": None}]) == (
        ["server:  gateway", f"address: {address}", "", "server:  s3", "address:"]
        if width < 80
        else [
            "server   address",
            "─" * (len("gateway  ") + len(address)),
            f"gateway  {address}",
            "s3",
        ]
    )


def test_numbers_are_right_aligned_and_long_names_are_broken_if_their_table_is_too_wide() -> None:
    lines = printed(
        24, [{"t": "a", "records_per_second": 1.5, "n": 7}, {"t": "b", "records_per_second": None, "n": 10}]
    )
    assert lines == [
        "   records_",
        "       per_",
        "t    second   n",
        "─" * 15,
        "a       1.5   7",
        "b            10",
    ]


def test_text_of_records_cannot_control_the_terminal() -> None:
    with terminal(80) as output:
        print_rows([{"title": "[red]a\x1b[31m\r\nb\u202e\xa0é", "bytes": b"\xff\x07"}])
        print_fields({"title": "a\tb"})
        print_line("[bold]c\x1b]0;title\x07")
    table, fields, line = output.getvalue().splitlines()[2:]
    assert table == r"[red]a\x1b[31m\r\nb\u202e" + "\xa0é  " + r"\xff\x07"
    assert fields == r"title: a\tb"
    assert line == r"[bold]c\x1b]0;title\x07"


def test_no_rows_are_reported() -> None:
    assert printed(80, []) == ["no rows"]


def test_json_is_one_exact_document(capfd: pytest.CaptureFixture[str]) -> None:
    row: Row = {
        "time": datetime(2026, 1, 1, 12, 0, 0, 1, UTC),
        "day": date(2026, 1, 2),
        "number": 2**63,
        "decimal": Decimal("0.10"),
        "nothing": None,
        "bytes": b"\xff",
        "infinite": float("inf"),
        "text": "日本\x1b\n",
    }
    print_rows([row], as_json=True)
    print_json({"no": []})
    rows_document, document = capfd.readouterr().out.split("]\n{")
    assert json.loads(rows_document + "]") == [
        {
            "time": "2026-01-01T12:00:00.000001Z",
            "day": "2026-01-02",
            "number": 2**63,
            "decimal": "0.10",
            "nothing": None,
            "bytes": "_w==",
            "infinite": "Infinity",
            "text": "日本\x1b\n",
        }
    ]
    assert json.loads("{" + document) == {"no": []}
