"""Terminal output shared by the commands: results on standard output, progress on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

PROGRESS_SECONDS = 10.0
"""Time between two lines of progress if the output is not a terminal."""
Timings = list[tuple[str, float]]

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def stage(timings: Timings, name: str) -> Iterator[None]:
    """Show that a stage is running, and append its duration in seconds to the timings."""
    started = time.monotonic()
    with progress.status(f"{name} ..."):
        if not progress.is_terminal:
            progress.print(f"{name} ...")
        yield
    timings.append((name, time.monotonic() - started))
    progress.print(f"[green]✓[/green] {name}: {timings[-1][1]:.1f} s")


@contextmanager
def row_progress(name: str) -> Iterator[Callable[[int], None]]:
    """Show that rows are processed: live on a terminal, otherwise in a line at the start and every PROGRESS_SECONDS.

    Yields:
        Function to call with the number of rows processed so far.
    """
    printed = time.monotonic()
    with progress.status(f"{name} ...") as shown:
        if not progress.is_terminal:
            progress.print(f"{name} ...")

        def update(rows: int) -> None:
            nonlocal printed
            shown.update(f"{name}: {rows} rows")
            if not progress.is_terminal and time.monotonic() - printed >= PROGRESS_SECONDS:
                progress.print(f"{name}: {rows} rows")
                printed = time.monotonic()

        yield update
