"""The supervisor of the streaming jobs."""

from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.commands import history, request
from pin_pipeline.jobs import start_streams, stop_streams
from pin_pipeline.news import news
from pin_pipeline.resources.lake import LakeResource
from pin_pipeline.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.streams.fleet import FLEET
from pin_pipeline.streams.supervision import State
from pin_pipeline.streams.watch import watch


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
    commands = {name: history(context.instance, name) for name in FLEET}
    watched = [watch(job, jobs, heartbeats, commands[name], now) for name, job in FLEET.items()]
    seen = "; ".join(map(str, watched))
    if all(each.decision.state is State.UNKNOWN for each in watched):
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
