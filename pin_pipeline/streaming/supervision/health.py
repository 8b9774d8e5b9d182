"""Health of a streaming job, as data quality checks on each of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pin_pipeline.reports import Check, Severity
from pin_pipeline.streaming.jobs import StreamingJob
from pin_pipeline.streaming.supervision.backend import StreamingJobs
from pin_pipeline.streaming.supervision.decision import Command, Decision, JobObservation, JobState, Policy, decide
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats, QueryProgress

POLICY = Policy()
MAX_LAG = timedelta(minutes=1)
RUNNING, LAG = "running", "lag"
DESCRIPTIONS = {
    RUNNING: "The streaming job that keeps the table up to date is running and makes progress.",
    LAG: (
        f"The table contains all records that arrived more than {MAX_LAG.total_seconds():.0f} seconds ago. The lag is "
        "the one that the query reported last, plus the time since that report."
    ),
}
MILD_STATES = {JobState.STARTING, JobState.STOPPED, JobState.UNKNOWN}
"""States that fail the check as a warning: they are intended, end soon, or say nothing about the job."""
NEXT_STEPS = {
    JobState.STARTING: f"Wait: a job needs up to {POLICY.start.total_seconds() / 60:.0f} minutes to start its queries.",
    JobState.STALLED: "Read its log. To restart it, run the job stop_streams, then start_streams.",
    JobState.DEAD: "Wait until the supervisor has started it again. If it exits again, read its log.",
    JobState.EXHAUSTED: "Read its log, fix the cause, then run the job start_streams.",
    JobState.STOPPED: "To start it, run the job start_streams.",
    JobState.UNKNOWN: "Check that S3 and the platform of the job are reachable; the supervisor tries again in 30 s.",
}


@dataclass(frozen=True)
class JobHealth:
    """Observation of a streaming job and the supervisor's decision, at one point in time."""

    job: StreamingJob
    observation: JobObservation
    decision: Decision
    at: datetime

    def __str__(self) -> str:
        return f"{self.job.name} is {self.decision.state}: {self.decision.reason}"

    def progress(self, table: str) -> QueryProgress | None:
        """Return the progress of a table's query; None if it never reported any."""
        heartbeat = self.observation.heartbeat
        return heartbeat.queries.get(table) if heartbeat else None

    def checks(self, table: str) -> Iterator[Check]:
        """Evaluate the checks `running` and `lag` of a table."""
        yield self._check_running()
        yield self._check_lag(table)

    def _check_running(self) -> Check:
        state = self.decision.state
        metadata = {"state": state.value, "reason": self.decision.reason}
        if self.observation.status is not None:
            metadata["log"] = self.observation.status.log
        if state in NEXT_STEPS:
            metadata["next_step"] = NEXT_STEPS[state]
        severity = Severity.WARN if state in MILD_STATES else Severity.ERROR
        return Check(RUNNING, state is JobState.ALIVE, metadata, severity)

    def _check_lag(self, table: str) -> Check:
        lag = self._max_lag_seconds(table)
        if lag is None:
            reason, next_step = "the query reported no lag yet", "See the check `running` of this table."
            metadata = {"state": "unknown", "reason": reason, "next_step": next_step}
            return Check(LAG, passed=False, metadata=metadata, severity=Severity.WARN)
        numbers = {"lag_seconds_at_most": round(lag, 1)}
        if lag <= MAX_LAG.total_seconds():
            return Check(LAG, passed=True, metadata={"state": "up to date", **numbers}, severity=Severity.WARN)
        reason = (
            f"records that arrived up to {lag:.0f} s ago may be missing; {MAX_LAG.total_seconds():.0f} s are allowed"
        )
        next_step = "See the check `running` of this table. If it passes, wait until the job has processed the backlog."
        metadata = {"state": "behind", "reason": reason, "next_step": next_step}
        return Check(LAG, passed=False, metadata={**metadata, **numbers}, severity=Severity.WARN)

    def _max_lag_seconds(self, table: str) -> float | None:
        """Return the greatest possible age, in seconds, of a record that the table does not contain yet."""
        progress = self.progress(table)
        if progress is None or progress.lag_seconds is None:
            return None
        return progress.lag_seconds + max(0.0, (self.at - progress.reported_at).total_seconds())


def check_health(
    job: StreamingJob, jobs: StreamingJobs, heartbeats: Heartbeats, commands: Sequence[Command], now: datetime
) -> JobHealth:
    """Read the status and heartbeat of a job, and decide what to do about it.

    Args:
        commands: past commands to the job, newest first.
        now: current time (UTC).
    """
    try:
        observation = JobObservation(jobs.status(job.name), heartbeats.read(job.name))
    except Exception as error:  # no exception of a platform proves that the job is dead
        observation = JobObservation(error=f"{type(error).__name__}: {error}")
    return JobHealth(job, observation, decide(observation, commands, now, POLICY), now)
