"""How the streaming jobs are, as checks on their tables: the supervisor evaluates them, and anybody by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.defs.metadata import check_result
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.defs.run_history import history
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.health import DESCRIPTIONS, check_health

SPECS = [
    dg.AssetCheckSpec(name, asset=dg.AssetKey.from_user_string(table), description=description)
    for job in STREAMING_JOBS.values()
    for table in job.tables
    for name, description in DESCRIPTIONS.items()
]


@dg.multi_asset_check(specs=SPECS, can_subset=True)
def supervised(
    context: dg.AssetCheckExecutionContext, streaming_jobs: StreamingJobsResource, lake: LakeResource
) -> Iterator[dg.AssetCheckResult]:
    """Look at the streaming jobs now, and do nothing about it."""
    now, jobs, heartbeats = datetime.now(UTC), streaming_jobs.jobs(), lake.heartbeats()
    for job in STREAMING_JOBS.values():
        watched = check_health(job, jobs, heartbeats, history(context.instance, job.name), now)
        for table in job.tables:
            key = dg.AssetKey.from_user_string(table)
            for check in watched.checks(table):
                if dg.AssetCheckKey(key, check.name) in context.selected_asset_check_keys:
                    yield check_result(key, check)
