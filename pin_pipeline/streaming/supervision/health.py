"""A streaming job as the supervisor sees it, and what that means for each of its tables."""

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
MOST_LAG = timedelta(minutes=1)
RUNNING, LAG = "running", "lag"
DESCRIPTIONS = {
    RUNNING: "The streaming job that keeps the table up to date runs, and something comes of it.",
    LAG: (
        f"What arrived more than {MOST_LAG.total_seconds():.0f} seconds ago is in the table. The lag is that of the "
        "query's last report, and the time since."
    ),
}
# As nobody would be called at night for: it was wished, it is soon over, or we do not know.
MILD = {JobState.STARTING, JobState.STOPPED, JobState.UNKNOWN}
ADVICE = {
    JobState.STALLED: "see its log; to start it anew, run the job stop_streams, then start_streams",
    JobState.EXHAUSTED: "see its log, mend the cause, then run the job start_streams",
    JobState.STOPPED: "to start it, run the job start_streams",
}


@dataclass(frozen=True)
class JobHealth:
    """A job of the fleet at a moment."""

    job: StreamingJob
    look: JobObservation
    decision: Decision
    at: datetime

    def __str__(self) -> str:
        return f"{self.job.name}: {self.decision.state}, {self.decision.reason}"

    def progress(self, table: str) -> QueryProgress | None:
        """How far the query of a table has come, as far as is known."""
        return self.look.heartbeat.queries.get(table) if self.look.heartbeat else None

    def checks(self, table: str) -> Iterator[Check]:
        """What there is to say of a table."""
        state = self.decision.state
        details = {"state": state.value, "reason": self.decision.reason}
        if self.look.status is not None:
            details["log"] = self.look.status.log
        if state in ADVICE:
            details["what_to_do"] = ADVICE[state]
        severity = Severity.WARN if state in MILD else Severity.ERROR
        yield Check(RUNNING, state is JobState.ALIVE, details, severity)
        lag = self._lag(table)
        if lag is None:
            yield Check(LAG, passed=False, metadata={"state": "unknown"}, severity=Severity.WARN)
        else:
            behind = lag > MOST_LAG.total_seconds()
            said = {"state": "behind" if behind else "up to date", "lag_seconds_at_most": round(lag, 1)}
            yield Check(LAG, not behind, said, Severity.WARN)

    def _lag(self, table: str) -> float | None:
        """How old the oldest record can be that is not in the table yet, in seconds."""
        progress = self.progress(table)
        if progress is None or progress.lag_seconds is None:
            return None
        return progress.lag_seconds + max(0.0, (self.at - progress.reported_at).total_seconds())


def check_health(
    job: StreamingJob, jobs: StreamingJobs, heartbeats: Heartbeats, commands: Sequence[Command], now: datetime
) -> JobHealth:
    """Look at a job, given the commands it was given, newest first, and decide what to do about it."""
    try:
        look = JobObservation(jobs.status(job.name), heartbeats.read(job.name))
    except Exception as error:  # whatever there is to go wrong, it does not show that the job is dead
        look = JobObservation(problem=f"{type(error).__name__}: {error}")
    return JobHealth(job, look, decide(look, commands, now, POLICY), now)
