"""Stream supervisor: the commands and events of the streaming jobs, as Dagster stores them.

All state of the supervisor is in the runs and the event log of the Dagster instance. A tick that is evaluated twice
therefore requests and reports nothing twice, and a supervisor that was down continues where it stopped.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg

from pin_pipeline.defs.metadata import check_evaluation
from pin_pipeline.streaming.supervision.decision import Command, JobState, Verb
from pin_pipeline.streaming.supervision.health import LAG, RUNNING, JobHealth
from pin_pipeline.streaming.supervision.heartbeat import QueryProgress

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation

SUPERVISED = "pin_pipeline/supervised"
"""Tag of the runs that the supervisor requested."""
HISTORY = 20
"""Number of runs of a job that are read: the supervisor gives up after 5 attempts."""
REPEAT = timedelta(minutes=10)
"""Interval at which an unchanged state is reported again: often enough to show that the supervisor is running."""
LAST_COMMIT, STATE = "last_commit", "state"


def job_tag(job: str) -> str:
    """Return the tag of the runs that start or stop a streaming job; its value is the command."""
    return f"pin_pipeline/{job}"


def tag_run(context: dg.OpExecutionContext, jobs: Sequence[str], verb: Verb) -> None:
    """Tag the current run with the streaming jobs that it starts or stops."""
    context.instance.add_run_tags(context.run_id, {job_tag(job): verb.value for job in jobs})


def command_history(instance: dg.DagsterInstance, job: str) -> list[Command]:
    """Return the latest commands that a streaming job was given, newest first."""
    tags = {job_tag(job): [verb.value for verb in Verb]}
    return [_command(record, job) for record in instance.get_run_records(dg.RunsFilter(tags=tags), limit=HISTORY)]


def run_request(job: str, verb: Verb, commands: Sequence[Command]) -> dg.RunRequest:
    """Return the request of the run that starts or stops a streaming job.

    The run key names the command before it, so that a tick that is evaluated twice requests one run.
    """
    return dg.RunRequest(
        run_key=f"{verb} {job} after {commands[0].id if commands else 'nothing'}",
        job_name=f"{verb}_streams",
        run_config={"ops": {verb.value: {"config": {"jobs": [job]}}}},
        tags={job_tag(job): verb.value, SUPERVISED: "yes"},
    )


def asset_events(instance: dg.DagsterInstance, jobs: Sequence[JobHealth]) -> Iterator[Event]:
    """Yield a materialization of each table with new data, an observation of the others, and the changed checks."""
    for job in jobs:
        for table in job.job.tables:
            key = dg.AssetKey.from_user_string(table)
            progress = job.progress(table)
            if progress is not None:
                yield from _table_events(instance, key, progress, job)
            yield from _check_events(instance, key, table, job)


def _table_events(
    instance: dg.DagsterInstance, key: dg.AssetKey, progress: QueryProgress, job: JobHealth
) -> Iterator[Event]:
    metadata = _metadata(progress)
    materialized = instance.get_latest_materialization_event(key)
    if progress.committed_at is not None and progress.committed_at.timestamp() > _last_commit(materialized):
        yield dg.AssetMaterialization(key, metadata=metadata)
    elif job.decision.state is JobState.ALIVE:
        records = instance.fetch_observations(key, limit=1).records
        observed_at = records[0].timestamp if records else 0.0
        # The first observation after a materialization is reported at once: it shows that no more records arrive.
        if observed_at < (materialized.timestamp if materialized else 0.0) or _is_old(observed_at, job.at):
            yield dg.AssetObservation(key, metadata=metadata)


def _check_events(instance: dg.DagsterInstance, key: dg.AssetKey, table: str, job: JobHealth) -> Iterator[Event]:
    names = [dg.AssetCheckKey(key, name) for name in (RUNNING, LAG)]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(names)
    for check in job.checks(table):
        record = records.get(dg.AssetCheckKey(key, check.name))
        before = record.event.asset_check_evaluation if record and record.event else None
        evaluation = check_evaluation(key, check)
        if (
            record is None
            or before is None
            or before.metadata.get(STATE) != evaluation.metadata[STATE]
            or _is_old(record.create_timestamp, job.at)
        ):
            yield evaluation


def _metadata(progress: QueryProgress) -> Mapping[str, dg.MetadataValue | int | float | None]:
    commit = progress.committed_at
    return {
        "batch": progress.batch,
        "records_since_start": progress.records,
        "records_per_second": round(progress.records_per_second, 2),
        "lag_seconds": None if progress.lag_seconds is None else round(progress.lag_seconds, 3),
        LAST_COMMIT: None if commit is None else dg.MetadataValue.timestamp(commit),
    }


def _last_commit(event: dg.EventLogEntry | None) -> float:
    materialization = event.asset_materialization if event else None
    commit = materialization.metadata.get(LAST_COMMIT) if materialization else None
    return commit.value if isinstance(commit, dg.TimestampMetadataValue) else 0.0


def _is_old(timestamp: float, now: datetime) -> bool:
    return now.timestamp() - timestamp >= REPEAT.total_seconds()


def _command(record: dg.RunRecord, job: str) -> Command:
    run = record.dagster_run
    return Command(
        run.run_id,
        record.create_timestamp,
        Verb(run.tags[job_tag(job)]),
        # A run that a user re-executes has the tags of the original run, but is not a request of the supervisor.
        supervised=SUPERVISED in run.tags and run.parent_run_id is None,
        under_way=not run.is_finished,
    )
