"""Health checks of the streaming jobs, on the tables that they write."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.defs.metadata import check_result
from pin_pipeline.defs.resources.interfaces import LakeResource, StreamingJobsResource
from pin_pipeline.defs.stream_supervisor import command_history
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.health import DESCRIPTIONS, check_health

SPECS = [
    dg.AssetCheckSpec(name, asset=dg.AssetKey.from_user_string(table), description=description)
    for job in STREAMING_JOBS.values()
    for table in job.tables
    for name, description in DESCRIPTIONS.items()
]


@dg.multi_asset_check(specs=SPECS, can_subset=True)
def stream_health(
    context: dg.AssetCheckExecutionContext, streaming_jobs: StreamingJobsResource, lake: LakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Check the streaming jobs now, without starting or stopping any; the stream supervisor reports the same checks."""
    now, jobs, heartbeats = datetime.now(UTC), streaming_jobs.jobs(), lake.heartbeats()
    for job in STREAMING_JOBS.values():
        health = check_health(job, jobs, heartbeats, command_history(context.instance, job.name), now)
        for table in job.tables:
            key = dg.AssetKey.from_user_string(table)
            for check in health.checks(table):
                if dg.AssetCheckKey(key, check.name) in context.selected_asset_check_keys:
                    yield check_result(key, check)
