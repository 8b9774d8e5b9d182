"""A few rows of a table as Markdown."""

from __future__ import annotations

import pyarrow as pa

CELL_CHARACTERS = 28


def markdown(table: pa.Table) -> str:
    """A Markdown table; what would break a cell is escaped, what would widen it is cut."""
    lines = [table.column_names, ["---"] * table.num_columns, *([*row.values()] for row in table.to_pylist())]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ").strip()
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
