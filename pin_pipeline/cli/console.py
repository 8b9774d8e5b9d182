"""Terminal output shared by the commands: results on standard output, progress on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

Timings = list[tuple[str, float]]

console = Console(highlight=False)
progress = Console(stderr=True, highlight=False)


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
