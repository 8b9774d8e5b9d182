"""Commands for the streaming jobs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pin_pipeline.backends import streaming_jobs
from pin_pipeline.cli.console import console, progress
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.cli.rows import Json, Row, print_json, print_line, print_rows
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.jobs import STREAMING_JOBS, StreamingJob, streaming_job
from pin_pipeline.streaming.supervision.backend import JobStatus
from pin_pipeline.streaming.supervision.decision import Verb
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats, QueryProgress

app = typer.Typer(help="Start, stop and show the streaming jobs.", no_args_is_help=True)

OUTCOMES = {Verb.START: ("started", "running already"), Verb.STOP: ("stopped", "not running")}
"""Outcomes of a command for one job: its state changed, or it was in that state before."""
Jobs = Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(STREAMING_JOBS)}; default all.")]


@app.command()
def start(jobs: Jobs = None, as_json: Json = False) -> None:
    """Start streaming jobs; from then on the supervisor keeps them running."""
    _run(Verb.START, jobs, as_json=as_json)


@app.command()
def stop(jobs: Jobs = None, as_json: Json = False) -> None:
    """Stop streaming jobs until they are started again."""
    _run(Verb.STOP, jobs, as_json=as_json)


@app.command()
def status(jobs: Jobs = None, as_json: Json = False) -> None:
    """Show the progress of the streaming jobs' queries; exit code 1 unless all of the jobs are running."""
    settings = Settings.load()
    backend, heartbeats = streaming_jobs(settings), Heartbeats.of(settings)
    selected = [streaming_job(name) for name in jobs or STREAMING_JOBS]
    shown = [_job(job, backend.status(job.name), heartbeats.read(job.name)) for job in selected]
    if as_json:
        print_json(shown)
    else:
        for number, job in enumerate(shown):
            if number:
                console.print()
            since = job["running_since"]
            print_line(f"{job['job']}: {f'running since {since:%Y-%m-%d %H:%M:%S} UTC' if since else 'down'}")
            print_rows(job["tables"])
    if any(job["running_since"] is None for job in shown):
        raise typer.Exit(1)


def _run(verb: Verb, jobs: list[str] | None, *, as_json: bool) -> None:
    """Run the Dagster job, so that the supervisor knows the request."""
    settings = Settings.load()
    backend = streaming_jobs(settings)
    names = [streaming_job(name).name for name in jobs or STREAMING_JOBS]
    running = {name: backend.status(name).since is not None for name in names}
    with progress.status(f"job {verb}_streams ..."):
        run_job(settings, f"{verb}_streams", {"ops": {verb.value: {"config": {"jobs": names}}}})
    changed, unchanged = OUTCOMES[verb]
    outcomes = {name: changed if running[name] is (verb is Verb.STOP) else unchanged for name in names}
    if as_json:
        print_json(outcomes)
    else:
        for name, outcome in outcomes.items():
            print_line(f"{name}: {outcome}")


def _job(job: StreamingJob, status: JobStatus, heartbeat: Heartbeat | None) -> dict[str, Any]:
    queries = heartbeat.queries if heartbeat else {}
    # Speed and lag of an earlier process say nothing about the present.
    is_current = heartbeat is not None and status.since is not None and heartbeat.at >= status.since
    tables = [_table(table, queries.get(table), is_current=is_current) for table in job.tables]
    return {"job": job.name, "running_since": status.since, "log": status.log, "tables": tables}


def _table(name: str, last: QueryProgress | None, *, is_current: bool) -> Row:
    now = last if is_current else None
    commit = last.committed_at if last else None
    return {
        "table": name,
        "records": last.records if last else None,
        "records_per_second": round(now.records_per_second, 1) if now else None,
        "lag_seconds": round(now.lag_seconds, 1) if now and now.lag_seconds is not None else None,
        "last_commit": commit.replace(microsecond=0) if commit else None,
    }
