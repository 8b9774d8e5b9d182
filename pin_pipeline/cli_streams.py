"""The streaming jobs by hand: `pin-pipeline streams --help`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pin_pipeline import environment
from pin_pipeline.local import orchestrator
from pin_pipeline.local.streams import LocalStreamingJobs
from pin_pipeline.streams.fleet import FLEET, job_of
from pin_pipeline.streams.heartbeat import Heartbeat, Heartbeats
from pin_pipeline.streams.supervision import Verb

app = typer.Typer(help="Start, stop and show the streaming jobs.", no_args_is_help=True)
console = Console(highlight=False)

PAST = {Verb.START: "started", Verb.STOP: "stopped"}
Jobs = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(FLEET)}; by default all.")]


@app.command()
def start(jobs: Jobs = None) -> None:
    """Start streaming jobs; from now on the supervisor sees to it that they run."""
    _command(Verb.START, jobs)


@app.command()
def stop(jobs: Jobs = None) -> None:
    """Stop streaming jobs, until they are started again by hand."""
    _command(Verb.STOP, jobs)


@app.command()
def status(jobs: Jobs = None) -> None:
    """Show how far the queries of the streaming jobs have come; exit code 1 unless all of the jobs run."""
    settings = environment.load()
    processes, heartbeats = LocalStreamingJobs(settings.home), Heartbeats.of(settings)
    table = Table("job", "running since", "table", "records", "records/s", "lag", "last commit")
    names = [job_of(name).name for name in jobs or FLEET]
    since = {name: processes.status(name).since for name in names}
    for name, begun in since.items():
        begun_at = "down" if begun is None else f"{begun:%Y-%m-%d %H:%M:%S}"
        for row in _rows(name, heartbeats.read(name)):
            table.add_row(name, begun_at, *row)
    console.print(table)
    if None in since.values():
        raise typer.Exit(1)


def _command(verb: Verb, jobs: list[str] | None) -> None:
    """Run the job of the orchestrator, so that the supervisor knows what was wished."""
    names = [job_of(name).name for name in jobs or FLEET]
    with console.status(f"job {verb}_streams ..."):
        orchestrator.run_job(
            environment.load().home, f"{verb}_streams", {"ops": {verb.value: {"config": {"jobs": names}}}}
        )
    console.print(f"{PAST[verb]} {', '.join(names)}")


def _rows(name: str, heartbeat: Heartbeat | None) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for table in job_of(name).tables:
        progress = heartbeat.queries.get(table) if heartbeat else None
        if progress is None:
            rows.append((table, "", "", "", ""))
        else:
            lag = "" if progress.lag_seconds is None else f"{progress.lag_seconds:.1f} s"
            commit = "" if progress.committed_at is None else f"{progress.committed_at:%Y-%m-%d %H:%M:%S}"
            rows.append((table, str(progress.records), f"{progress.records_per_second:.1f}", lag, commit))
    return rows
