"""The streaming jobs by hand: `pin-pipeline streams --help`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pin_pipeline import settings as environment
from pin_pipeline.local import orchestrator
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.streaming.jobs import STREAMING_JOBS, StreamingJob, streaming_job
from pin_pipeline.streaming.supervision.decision import Verb
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats

app = typer.Typer(help="Start, stop and show the streaming jobs.", no_args_is_help=True)
console = Console(highlight=False)

PAST = {Verb.START: "started", Verb.STOP: "stopped"}
Jobs = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(STREAMING_JOBS)}; by default all.")]


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
    names = [streaming_job(name).name for name in jobs or STREAMING_JOBS]
    since = {name: processes.status(name).since for name in names}
    for name, begun in since.items():
        state = "down" if begun is None else f"running since {_moment(begun)} UTC"
        console.print(_table(f"{name}: {state}", streaming_job(name), heartbeats.read(name)))
    if None in since.values():
        raise typer.Exit(1)


def _command(verb: Verb, jobs: list[str] | None) -> None:
    """Run the job of the orchestrator, so that the supervisor knows what was wished."""
    names = [streaming_job(name).name for name in jobs or STREAMING_JOBS]
    with console.status(f"job {verb}_streams ..."):
        orchestrator.run_job(
            environment.load().home, f"{verb}_streams", {"ops": {verb.value: {"config": {"jobs": names}}}}
        )
    console.print(f"{PAST[verb]} {', '.join(names)}")


def _table(title: str, job: StreamingJob, heartbeat: Heartbeat | None) -> Table:
    shown = Table("table", "records", "records/s", "lag", "last commit", title=title, title_justify="left")
    for table in job.tables:
        progress = heartbeat.queries.get(table) if heartbeat else None
        if progress is None:
            shown.add_row(table)
        else:
            lag = "" if progress.lag_seconds is None else f"{progress.lag_seconds:.1f} s"
            speed = f"{progress.records_per_second:.1f}"
            shown.add_row(table, str(progress.records), speed, lag, _moment(progress.committed_at))
    return shown


def _moment(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
