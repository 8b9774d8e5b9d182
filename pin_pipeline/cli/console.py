"""Terminal output shared by the commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

Timings = list[tuple[str, float]]

console = Console(highlight=False)


@contextmanager
def stage(timings: Timings, name: str) -> Iterator[None]:
    """Show that a stage is running, and append its duration in seconds to the timings."""
    started = time.monotonic()
    with console.status(f"{name} ..."):
        if not console.is_terminal:
            console.print(f"{name} ...")
        yield
    timings.append((name, time.monotonic() - started))
    console.print(f"[green]✓[/green] {name}: {timings[-1][1]:.1f} s")


def rows_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows as a table for the terminal."""
    table = Table(*(rows[0] if rows else ()))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table
