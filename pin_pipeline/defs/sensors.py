"""Sensors."""

from datetime import UTC, datetime

import dagster as dg

from pin_pipeline.defs.jobs import start_streams, stop_streams
from pin_pipeline.defs.resources.interfaces import LakeResource, StreamingJobsResource
from pin_pipeline.defs.stream_supervisor import asset_events, command_history, run_request
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.decision import JobState
from pin_pipeline.streaming.supervision.health import check_health


@dg.sensor(
    jobs=[start_streams, stop_streams],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Keeps the streaming jobs running: starts each job that is not running, and after a failure starts it again "
        "with increasing delays until it gives up. Reports new data of their tables, whether they are running, and "
        "their lag. A job that was stopped by `stop_streams` is left alone until `start_streams` starts it."
    ),
)
def stream_supervisor(
    context: dg.SensorEvaluationContext, streaming_jobs: StreamingJobsResource, lake: LakeResource
) -> dg.SensorResult:
    """Check the health of every streaming job once.

    The cursor is the states that were logged last. No decision depends on it, see `defs.stream_supervisor`.
    """
    now, jobs, heartbeats = datetime.now(UTC), streaming_jobs.jobs(), lake.heartbeats()
    commands = {name: command_history(context.instance, name) for name in STREAMING_JOBS}
    checked = [check_health(job, jobs, heartbeats, commands[name], now) for name, job in STREAMING_JOBS.items()]
    summary = "; ".join(map(str, checked))
    if all(job.decision.state is JobState.UNKNOWN for job in checked):
        raise dg.Failure(f"the state of no streaming job could be read, so none was started or stopped: {summary}")
    logged = (context.cursor or "").split("; ")
    states = {f"{job.job.name} is {job.decision.state}": job for job in checked}
    for state, job in states.items():
        if state not in logged:
            context.log.info(str(job))
    requests = [
        run_request(job.job.name, job.decision.request, commands[job.job.name])
        for job in checked
        if job.decision.request
    ]
    return dg.SensorResult(
        run_requests=requests,
        asset_events=list(asset_events(context.instance, checked)),
        skip_reason=None if requests else summary,
        cursor="; ".join(states),
    )
