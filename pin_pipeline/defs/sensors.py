"""The supervisor of the streaming jobs."""

from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.defs.asset_events import news
from pin_pipeline.defs.jobs import start_streams, stop_streams
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.defs.run_history import history, request
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.decision import JobState
from pin_pipeline.streaming.supervision.health import check_health


@dg.sensor(
    jobs=[start_streams, stop_streams],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts the streaming jobs that should run, again and with growing delays where they die, until it gives up; "
        "reports what they wrote, whether they run, and how far they lag behind. What `stop_streams` stopped stays "
        "stopped until `start_streams`."
    ),
)
def stream_supervisor(
    context: dg.SensorEvaluationContext, streaming_jobs: StreamingJobsResource, lake: LakeResource
) -> dg.SensorResult:
    """Look at every streaming job once.

    All that it remembers is in runs and events of the instance: there is no cursor to lose.
    """
    now, jobs, heartbeats = datetime.now(UTC), streaming_jobs.jobs(), lake.heartbeats()
    commands = {name: history(context.instance, name) for name in STREAMING_JOBS}
    watched = [check_health(job, jobs, heartbeats, commands[name], now) for name, job in STREAMING_JOBS.items()]
    seen = "; ".join(map(str, watched))
    if all(each.decision.state is JobState.UNKNOWN for each in watched):
        raise dg.Failure(f"no streaming job could be looked at, and none was started or stopped: {seen}")
    context.log.info(seen)
    requests = [
        request(each.job.name, each.decision.request, commands[each.job.name])
        for each in watched
        if each.decision.request
    ]
    return dg.SensorResult(
        run_requests=requests,
        asset_events=list(news(context.instance, watched)),
        skip_reason=None if requests else seen,
    )
