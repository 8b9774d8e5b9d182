"""The whole pipeline once, from the source database to the answers, on the local servers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local import orchestrator
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

Timings = list[tuple[str, float]]


def run(console: Console, settings: Settings, timings: Timings, draws: int) -> Timings:
    """Fill the source database where it is empty, run both jobs, and print the answers; returns the day's steps.

    Raises:
        LocalError: a job failed.
        SourceError: the source database cannot be used.
    """
    with stage(console, timings, "source database"):
        fill_if_empty(SourceDatabase(settings.source_url))
    with stage(console, timings, f"job emulation, {draws} draws"):
        orchestrator.run_job(settings.home, "emulation", {"ops": {"post": {"config": {"draws": draws}}}})
    with stage(console, timings, "job daily_batch"):
        steps = orchestrator.run_job(settings.home, "daily_batch", {})
    for query in QUERIES.values():
        console.print()
        console.print(f"[bold]{query.question}[/bold]  {query.key}")
        answer = Lake.of(settings).existing(query.key).query("select * from t").to_pylist()
        console.print(as_text(sorted(answer, key=_order)))
    console.print()
    return [(f"  {step.name}", step.seconds) for step in steps]


@contextmanager
def stage(console: Console, timings: Timings, name: str) -> Iterator[None]:
    """Say what is going on, and how long it took."""
    started = time.monotonic()
    with console.status(f"{name} ..."):
        if not console.is_terminal:
            console.print(f"{name} ...")
        yield
    timings.append((name, time.monotonic() - started))
    console.print(f"[green]✓[/green] {name}: {timings[-1][1]:.1f} s")


def fill_if_empty(database: SourceDatabase) -> None:
    """Give a source database without rows the synthetic ones."""
    if not any(database.count(record_type) for record_type in RECORD_TYPES):
        synthetic.fill(database)


def as_text(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows for the terminal."""
    table = Table(*(rows[0] if rows else ()))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table


def _order(row: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    return [(value is None, value) for value in row.values()]


def show_timings(console: Console, timings: Timings, steps: Timings) -> None:
    """Print how long each stage took, and each step of the day."""
    table = Table("stage", "seconds")
    table.columns[1].justify = "right"
    for name, seconds in [*timings, *steps]:
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)
