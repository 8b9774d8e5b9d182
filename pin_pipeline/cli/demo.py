"""The command `demo`: the whole pipeline once, from the source database to the query results, on local servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli import demo_streams
from pin_pipeline.cli.console import Timings, console, rows_table, stage
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.cli.servers import running_servers
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

app = typer.Typer()


@app.command()
def demo(draws: Annotated[int, typer.Option(min=0, help="Number of posts to draw.")] = 1000) -> None:
    """Run the whole pipeline once and print the query results; stops the servers that it started."""
    timings: Timings = []
    with running_servers(timings) as settings:
        steps = _run_batch(settings, timings, draws)
        demo_streams.run(settings, timings)
        _print_timings(timings, steps)
    console.print("\n[bold]make dev[/bold] starts the servers and the Dagster UI, which shows all of this.")


def fill_if_empty(database: SourceDatabase) -> None:
    """Store the synthetic rows in a source database that has no rows."""
    if not any(database.count(record_type) for record_type in RECORD_TYPES):
        synthetic.fill(database)


def _run_batch(settings: Settings, timings: Timings, draws: int) -> Timings:
    """Run the jobs `emulation` and `daily_batch`, and print the query results; returns the steps of the daily batch."""
    with stage(timings, "source database"):
        fill_if_empty(SourceDatabase.of(settings))
    with stage(timings, f"job emulation, {draws} draws"):
        run_job(settings, "emulation", {"ops": {"post": {"config": {"draws": draws}}}})
    with stage(timings, "job daily_batch"):
        steps = run_job(settings, "daily_batch", {})
    for query in QUERIES.values():
        console.print()
        console.print(f"[bold]{query.question}[/bold]  {query.key}")
        result = Lake.of(settings).require(query.key).query("select * from t").to_pylist()
        console.print(rows_table(sorted(result, key=_order)))
    console.print()
    return [(f"  {step.name}", step.seconds) for step in steps]


def _order(row: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    return [(value is None, value) for value in row.values()]


def _print_timings(timings: Timings, steps: Timings) -> None:
    table = Table("stage", "seconds")
    table.columns[1].justify = "right"
    for name, seconds in [*timings, *steps]:
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)
