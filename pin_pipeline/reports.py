"""Reports and checks: what a task returns about each table it has processed.

Reports are plain data, so that they can be sent from a remote cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

Metadata = Mapping[str, int | float | str]

MAX_CELL_CHARACTERS = 28
"""Longer cells are truncated in a Markdown preview, so that ten columns fit on a page of the UI."""

NO_RECORDS_YET = "no records yet: run the job `emulation`"
"""Reason of a check that fails only because nothing was posted."""


class Severity(StrEnum):
    """Severity of a failed check."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """Outcome of one check on one table."""

    name: str
    passed: bool
    metadata: Metadata = field(default_factory=dict)
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Report:
    """State of one table after a task.

    Attributes:
        key: asset key, such as `cleaned/pin`.
        rows: number of rows in the table.
        metadata: numbers of this run, and Markdown for strings.
        checks: outcomes of the checks made in the same scan.
    """

    key: str
    rows: int
    metadata: Metadata = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


def markdown_table(table: pa.Table) -> str:
    """Render an Arrow table as Markdown: cells are escaped, and truncated to `MAX_CELL_CHARACTERS`."""
    lines = [table.column_names, ["---"] * table.num_columns, *([*row.values()] for row in table.to_pylist())]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ").strip()
    return text if len(text) <= MAX_CELL_CHARACTERS else text[: MAX_CELL_CHARACTERS - 1] + "…"
