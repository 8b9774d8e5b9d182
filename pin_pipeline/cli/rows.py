"""Rows on the terminal: as a table, one field per line if a row is too wide, or as one JSON document.

Nothing is ever cut or broken into lines, so that names and addresses can be copied. Times are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer
from pydantic import ConfigDict, TypeAdapter
from rich import box
from rich.table import Column, Table
from rich.text import Text

from pin_pipeline.cli.console import console

Row = Mapping[str, Any]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

MAX_WIDTH = 2**31
"""Width at which a table is measured, so that the terminal does not limit it."""
PAST_UNDERSCORE = re.compile(r"(?<=_)(?!_)(?!$)")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that are escaped: they would control the terminal, break the line, reverse it or not be encodable."""
JSON_DOCUMENT: TypeAdapter[object] = TypeAdapter(
    object, config=ConfigDict(ser_json_bytes="base64", ser_json_inf_nan="strings")
)


def print_json(document: object) -> None:
    """Print a document as JSON in UTF-8; bytes are in Base64, and numbers that JSON lacks, such as NaN, are strings."""
    typer.echo(JSON_DOCUMENT.dump_json(document, indent=2))


def print_rows(rows: Sequence[Row], *, as_json: bool = False) -> None:
    """Print rows that have the same fields: as a table, vertically if it is wider than the terminal, or as JSON."""
    if as_json:
        print_json(rows)
    elif not rows:
        print_line("no rows")
    else:
        for break_names in (False, True):
            table = _table(rows, break_names=break_names)
            if _width(table) <= console.width:
                console.print(table)
                return
        for number, row in enumerate(rows):
            if number:
                console.print()
            print_fields(row)


def print_fields(row: Row) -> None:
    """Print a row vertically: one field per line."""
    width = max(map(len, row)) + len(": ")
    for name, value in row.items():
        console.print(Text.assemble((f"{name}:".ljust(width), "bold"), _text(value)), soft_wrap=True)


def print_line(line: str) -> None:
    """Print a line as it is: without markup, and not broken into several."""
    console.print(Text(_printable(line)), soft_wrap=True)


def _table(rows: Sequence[Row], *, break_names: bool) -> Table:
    columns = (_column(name, [row[name] for row in rows], break_name=break_names) for name in rows[0])
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    return table


def _column(name: str, values: Sequence[object], *, break_name: bool) -> Column:
    """Return a column, right-aligned if its values are numbers, with its name on several lines if that helps."""
    header = "\n".join(PAST_UNDERSCORE.split(name)) if break_name else name
    numbers = [isinstance(value, int | float | Decimal) for value in values if value is not None]
    justify: Any = "right" if numbers and all(numbers) else "left"
    return Column(Text(header), no_wrap=True, justify=justify, vertical="bottom")


def _width(table: Table) -> int:
    return console.measure(table, options=console.options.update(max_width=MAX_WIDTH, width=MAX_WIDTH)).maximum


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bytes():
            return _printable(value.decode(errors="backslashreplace"))
        case _:
            return _printable(str(value).removesuffix("+00:00"))


def _printable(text: str) -> str:
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
