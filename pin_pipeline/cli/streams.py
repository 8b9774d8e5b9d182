"""Commands for the streaming jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from pin_pipeline.backends import streaming_jobs
from pin_pipeline.cli.console import console
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS, StreamingJob, streaming_job
from pin_pipeline.streaming.supervision.decision import Verb
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats

app = typer.Typer(help="Start, stop and show the streaming jobs.", no_args_is_help=True)

PAST_TENSE = {Verb.START: "started", Verb.STOP: "stopped"}
Jobs = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(STREAMING_JOBS)}; default all.")]


@app.command()
def start(jobs: Jobs = None) -> None:
    """Start streaming jobs; from then on the supervisor keeps them running."""
    _run(Verb.START, jobs)


@app.command()
def stop(jobs: Jobs = None) -> None:
    """Stop streaming jobs until they are started again."""
    _run(Verb.STOP, jobs)


@app.command()
def status(jobs: Jobs = None) -> None:
    """Show the progress of the streaming jobs' queries; exit code 1 unless all of the jobs are running."""
    settings = Settings.load()
    backend, heartbeats = streaming_jobs(settings), Heartbeats.of(settings)
    names = [streaming_job(name).name for name in jobs or STREAMING_JOBS]
    since = {name: backend.status(name).since for name in names}
    for name, started_at in since.items():
        state = "down" if started_at is None else f"running since {_time(started_at)} UTC"
        console.print(_table(f"{name}: {state}", streaming_job(name), heartbeats.read(name)))
    if None in since.values():
        raise typer.Exit(1)


def _run(verb: Verb, jobs: list[str] | None) -> None:
    """Run the Dagster job, so that the supervisor knows the request."""
    names = [streaming_job(name).name for name in jobs or STREAMING_JOBS]
    with console.status(f"job {verb}_streams ..."):
        run_job(Settings.load(), f"{verb}_streams", {"ops": {verb.value: {"config": {"jobs": names}}}})
    console.print(f"{PAST_TENSE[verb]} {', '.join(names)}")


def _table(title: str, job: StreamingJob, heartbeat: Heartbeat | None) -> Table:
    shown = Table("table", "records", "records/s", "lag", "last commit", title=title, title_justify="left")
    for table in job.tables:
        progress = heartbeat.queries.get(table) if heartbeat else None
        if progress is None:
            shown.add_row(table)
        else:
            lag = "" if progress.lag_seconds is None else f"{progress.lag_seconds:.1f} s"
            speed = f"{progress.records_per_second:.1f}"
            shown.add_row(table, str(progress.records), speed, lag, _time(progress.committed_at))
    return shown


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
