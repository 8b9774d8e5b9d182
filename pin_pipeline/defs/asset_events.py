"""What the supervisor reports of the tables of the streaming jobs: what is new since it last did.

What it reported, the instance knows. So a tick that is evaluated twice reports nothing twice, and a supervisor that
was away goes on where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg

from pin_pipeline.defs.metadata import check_evaluation
from pin_pipeline.streaming.supervision.decision import JobState
from pin_pipeline.streaming.supervision.health import LAG, RUNNING, JobHealth
from pin_pipeline.streaming.supervision.heartbeat import QueryProgress

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation

# What has not changed is said again so often: as a sign of life that does not fill the event log.
REPEAT = timedelta(minutes=10)
LAST_COMMIT, STATE = "last_commit", "state"


def news(instance: dg.DagsterInstance, watched: Sequence[JobHealth]) -> Iterator[Event]:
    """A materialization of each table that advanced, an observation of others, and the checks that changed."""
    for each in watched:
        for table in each.job.tables:
            key = dg.AssetKey.from_user_string(table)
            progress = each.progress(table)
            if progress is not None:
                yield from _of_table(instance, key, progress, each)
            yield from _of_checks(instance, key, table, each)


def _of_table(
    instance: dg.DagsterInstance, key: dg.AssetKey, progress: QueryProgress, watched: JobHealth
) -> Iterator[Event]:
    metadata = _metadata(progress)
    materialized = instance.get_latest_materialization_event(key)
    if progress.committed_at is not None and progress.committed_at.timestamp() > _last_commit(materialized):
        yield dg.AssetMaterialization(key, metadata=metadata)
    elif watched.decision.state is JobState.ALIVE:
        observed = instance.fetch_observations(key, limit=1).records
        last = observed[0].timestamp if observed else 0.0
        # At once after a materialization: that it goes on no more is news too.
        if last < (materialized.timestamp if materialized else 0.0) or _is_old(last, watched.at):
            yield dg.AssetObservation(key, metadata=metadata)


def _of_checks(instance: dg.DagsterInstance, key: dg.AssetKey, table: str, watched: JobHealth) -> Iterator[Event]:
    names = [dg.AssetCheckKey(key, name) for name in (RUNNING, LAG)]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(names)
    for check in watched.checks(table):
        record = records.get(dg.AssetCheckKey(key, check.name))
        before = record.event.asset_check_evaluation if record and record.event else None
        evaluation = check_evaluation(key, check)
        if (
            record is None
            or before is None
            or before.metadata.get(STATE) != evaluation.metadata[STATE]
            or _is_old(record.create_timestamp, watched.at)
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
