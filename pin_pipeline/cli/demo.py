"""The command `demo`: the whole pipeline once, from the source database to the query results, on local servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli import demo_streams
from pin_pipeline.cli.console import Timings, console, stage
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.cli.rows import Json, Row, print_json, print_line, print_rows
from pin_pipeline.cli.servers import running_servers
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

app = typer.Typer()


SHOWN_ROWS = 4
"""Rows printed of each result, so that the output fits two screens of 50 lines; the longest result has 383 rows."""


@app.command()
def demo(
    draws: Annotated[int, typer.Option(min=0, help="Number of posts to draw.")] = 1000,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline once and print the query results; stops the servers that it started."""
    timings: Timings = []
    with running_servers(timings) as settings:
        steps = _run_batch(settings, timings, draws)
        results = {query.key: _result(settings, query.key) for query in QUERIES.values()}
        if not as_json:
            print_results(results)
        latencies = demo_streams.run(settings, timings)
    if as_json:
        print_json({"queries": results, "latencies": latencies, "seconds": dict(timings), "step_seconds": steps})
        return
    console.print()
    print_rows(latencies)
    console.print()
    print_line(f"steps of daily_batch: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in steps.items())}")
    console.print("[bold]make dev[/bold] starts the servers and the Dagster UI, which shows all of this.")


def _run_batch(settings: Settings, timings: Timings, draws: int) -> dict[str, float]:
    """Run the jobs `emulation` and `daily_batch`; returns the seconds of each step of the daily batch."""
    with stage(timings, "source database"):
        synthetic.fill_if_empty(SourceDatabase.of(settings))
    with stage(timings, f"job emulation, {draws} draws"):
        run_job(settings, "emulation", {"ops": {"post": {"config": {"draws": draws, "target": "kafka"}}}})
    with stage(timings, "job daily_batch"):
        return run_job(settings, "daily_batch", {})


def _result(settings: Settings, key: str) -> list[Row]:
    return sorted(Lake.of(settings).require(key).query("select * from t").to_pylist(), key=_order)


def _order(row: Mapping[str, Any]) -> list[tuple[bool, Any]]:
    return [(value is None, value) for value in row.values()]


def print_results(results: Mapping[str, list[Row]]) -> None:
    """Print the first rows of each query's result, by its key, and the command that prints all of them."""
    for query in QUERIES.values():
        rows = results[query.key]
        console.print()
        console.print(f"[bold]{query.question}[/bold]", soft_wrap=True)
        print_rows(rows[:SHOWN_ROWS])
        if len(rows) > SHOWN_ROWS:
            print_line(f"{SHOWN_ROWS} of {len(rows)} rows; all: pin-pipeline show {query.key} --rows {len(rows)}")
