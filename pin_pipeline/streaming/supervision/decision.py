"""Decision of the stream supervisor: the state of a streaming job and the command to give, computed without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pin_pipeline.streaming.supervision.backend import JobStatus
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat


class JobState(StrEnum):
    """State of a streaming job. The values are stored in check metadata."""

    ALIVE = "alive"
    STARTING = "starting"
    STALLED = "stalled"  # running without progress
    DEAD = "dead"
    EXHAUSTED = "exhausted"  # dead, and all automatic starts failed
    STOPPED = "stopped"
    UNKNOWN = "unknown"  # the status could not be read, which is no reason to start the job


class Verb(StrEnum):
    """Command to a streaming job. The values are stored in run tags."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True)
class Command:
    """A start or stop command, finished or in progress.

    Attributes:
        id: unique ID, the ID of the Dagster run.
        supervised: whether the supervisor gave the command, rather than a user.
        under_way: whether its run is still in progress.
    """

    id: str
    at: datetime
    verb: Verb
    supervised: bool = False
    under_way: bool = False


@dataclass(frozen=True)
class JobObservation:
    """Status and last heartbeat of a job; `error` says why when they could not be read."""

    status: JobStatus | None = None
    heartbeat: Heartbeat | None = None
    error: str = ""


@dataclass(frozen=True)
class Policy:
    """Time limits and retry limits of the supervisor.

    Attributes:
        first_delay: delay between the first failed start and the next one; each further delay is twice as long.
        attempts: number of consecutive failed starts after which the supervisor gives up.
        stable: a start succeeded when the job ran for longer than this.
        command: a command in progress for longer than this was lost together with the machine that ran it.
        start: a job without a running query for longer than this is stalled.
        silence: a job without a heartbeat for longer than this is stalled.
        batch: a job with a query that reported nothing for longer than this is stalled.
    """

    first_delay: timedelta = timedelta(seconds=15)
    attempts: int = 5
    stable: timedelta = timedelta(minutes=30)
    command: timedelta = timedelta(minutes=5)
    start: timedelta = timedelta(minutes=3)
    silence: timedelta = timedelta(minutes=1)
    batch: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Decision:
    """State of a job, the reason as text, and the command to give, if any."""

    state: JobState
    reason: str
    request: Verb | None = None


def decide(observation: JobObservation, commands: Sequence[Command], now: datetime, policy: Policy) -> Decision:
    """Decide what to do about a job.

    A job should run unless the last command by a user was a stop. Commands by the supervisor do not change that.

    Args:
        observation: status and heartbeat of the job.
        commands: past commands to the job, newest first.
        now: current time (UTC).
        policy: limits to apply.

    Returns:
        The state of the job and the command to give.
    """
    if observation.status is None:
        return Decision(JobState.UNKNOWN, f"its status could not be read: {observation.error}")
    since = observation.status.since
    desired = next((command.verb for command in commands if not command.supervised), Verb.START)
    if desired is Verb.STOP:
        if since is None:
            return Decision(JobState.STOPPED, "a user stopped it")
        stop = Decision(JobState.STOPPED, "a user stopped it, but it is running", Verb.STOP)
        return _limit(stop, observation, commands, now, policy)
    if since is not None:
        return _decide_running(since, observation.heartbeat, now, policy)
    if not commands:
        return Decision(JobState.STARTING, "it was never started", Verb.START)
    return _limit(Decision(JobState.DEAD, _exit_reason(observation), Verb.START), observation, commands, now, policy)


def _decide_running(since: datetime, heartbeat: Heartbeat | None, now: datetime, policy: Policy) -> Decision:
    current = heartbeat if heartbeat and heartbeat.at >= since else None  # an older one is from an earlier process
    if current is None or not current.queries:
        if now - since <= policy.start:
            return Decision(JobState.STARTING, f"its process started at {_format(since)}; no query is running yet")
        return Decision(JobState.STALLED, f"its process started at {_format(since)}, but no query is running yet")
    if now - current.at > policy.silence:
        return Decision(JobState.STALLED, f"its process is running, but wrote no heartbeat since {_format(current.at)}")
    for name, query in current.queries.items():
        if now - query.reported_at > policy.batch:
            reported_at = _format(query.reported_at)
            return Decision(JobState.STALLED, f"its query {name} reported no progress since {reported_at}")
    return Decision(JobState.ALIVE, f"it has been running since {_format(since)}")


def _limit(
    decision: Decision, observation: JobObservation, commands: Sequence[Command], now: datetime, policy: Policy
) -> Decision:
    """Drop the request of a decision if a command is in progress, the delay has not passed or the attempts are used up.

    Args:
        decision: decision with a request.
        commands: past commands, newest first; at least one.
    """
    last = commands[0]
    if last.under_way and now - last.at <= policy.command:
        state = JobState.STARTING if last.verb is Verb.START else decision.state
        return Decision(state, f"a run to {last.verb} it is in progress")
    failures = _count_failures(decision.request, observation.heartbeat, commands, policy)
    if failures >= policy.attempts:
        return Decision(
            JobState.EXHAUSTED,
            f"the supervisor gave up after {failures} attempts to {decision.request} it: {decision.reason}",
        )
    delay = last.at + policy.first_delay * 2 ** (failures - 1) - now if failures else timedelta()
    if delay > timedelta():
        next_attempt = f"attempt {failures + 1} to {decision.request} it follows in {delay.total_seconds():.0f} s"
        return Decision(decision.state, f"{decision.reason}; {next_attempt}")
    return decision


def _count_failures(verb: Verb | None, heartbeat: Heartbeat | None, commands: Sequence[Command], policy: Policy) -> int:
    """Count the supervisor's consecutive failed attempts.

    A start after which the job was stable did not fail, nor did one after which it was told to stop.
    """
    failures, until = 0, heartbeat.at if heartbeat else None
    stopped_at = heartbeat.stopped_at if heartbeat else None
    for command in commands:
        if not command.supervised or command.verb is not verb or (until and until - command.at > policy.stable):
            break
        if stopped_at and command.at < stopped_at:
            break
        failures, until = failures + 1, command.at
    return failures


def _exit_reason(observation: JobObservation) -> str:
    heartbeat = observation.heartbeat
    if heartbeat is None:
        return "its process exited before the first heartbeat"
    if heartbeat.stopped_at and heartbeat.stopped_at >= heartbeat.started_at:
        return f"its process was told to stop at {_format(heartbeat.stopped_at)}"
    if heartbeat.failure:
        return f"its process failed: {heartbeat.failure}"
    return f"its process exited without an error message; the last heartbeat is from {_format(heartbeat.at)}"


def _format(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
