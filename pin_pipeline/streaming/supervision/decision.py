"""What a streaming job should be doing, what it does, and what to do about the difference: decided without any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pin_pipeline.streaming.supervision.backend import JobStatus
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat


class JobState(StrEnum):
    """How a job is."""

    ALIVE = "alive"
    STARTING = "starting"
    STALLED = "stalled"  # it lives, and nothing comes of it
    DEAD = "dead"
    EXHAUSTED = "exhausted"  # it died so often that nobody starts it but a person
    STOPPED = "stopped"
    UNKNOWN = "unknown"  # we could not look, which is no reason to start anything


class Verb(StrEnum):
    """What is done to a job."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True)
class Command:
    """A start or stop, done or under way.

    Attributes:
        id: tells it from all others.
        supervised: the supervisor asked for it, not a person.
    """

    id: str
    at: datetime
    verb: Verb
    supervised: bool = False
    under_way: bool = False


@dataclass(frozen=True)
class JobObservation:
    """What was seen of a job; where it could not be looked at, the problem says why."""

    status: JobStatus | None = None
    heartbeat: Heartbeat | None = None
    problem: str = ""


@dataclass(frozen=True)
class Policy:
    """How patient the supervisor is.

    Attributes:
        first_delay: between a first start that failed and the next; every further delay is twice as long.
        attempts: so many starts in a row, then it gives up.
        stable: a start after which a job lived so long has not failed.
        command: a command that is under way for longer was lost, with the machine it ran on.
        start: a job that has no running queries for longer hangs.
        silence: a job that wrote no heartbeat for longer hangs.
        batch: a query that reported nothing for longer hangs.
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
    """How a job is, why in words, and what the supervisor asks for."""

    state: JobState
    reason: str
    request: Verb | None = None


def decide(look: JobObservation, commands: Sequence[Command], now: datetime, policy: Policy) -> Decision:
    """Judge a job by what was seen of it and by the commands it was given, newest first.

    A job is to run unless the last person who gave it a command stopped it: what the supervisor had asked for by then
    does not count.
    """
    if look.status is None:
        return Decision(JobState.UNKNOWN, f"could not be looked at: {look.problem}")
    wanted = next((command.verb for command in commands if not command.supervised), Verb.START)
    if wanted is Verb.STOP:
        if look.status.since is None:
            return Decision(JobState.STOPPED, "stopped on request")
        return _again(Decision(JobState.STOPPED, "to be stopped, but it runs", Verb.STOP), look, commands, now, policy)
    if look.status.since is not None:
        return _running(look.status.since, look.heartbeat, now, policy)
    if not commands:
        return Decision(JobState.STARTING, "was never started yet", Verb.START)
    return _again(Decision(JobState.DEAD, _last_words(look), Verb.START), look, commands, now, policy)


def _running(since: datetime, heartbeat: Heartbeat | None, now: datetime, policy: Policy) -> Decision:
    own = heartbeat if heartbeat and heartbeat.at >= since else None
    if own is None or not own.queries:
        if now - since <= policy.start:
            return Decision(JobState.STARTING, f"starting since {_moment(since)}")
        return Decision(JobState.STALLED, f"started {_moment(since)}, and none of its queries runs yet")
    if now - own.at > policy.silence:
        return Decision(JobState.STALLED, f"its process lives, but has said nothing since {_moment(own.at)}")
    for name, query in own.queries.items():
        if now - query.reported_at > policy.batch:
            return Decision(JobState.STALLED, f"query {name} has done nothing since {_moment(query.reported_at)}")
    return Decision(JobState.ALIVE, f"running since {_moment(since)}")


def _again(
    wish: Decision, look: JobObservation, commands: Sequence[Command], now: datetime, policy: Policy
) -> Decision:
    """Ask for what is wished, unless that is under way, was tried a moment ago, or was tried too often."""
    last = commands[0]
    if last.under_way and now - last.at <= policy.command:
        state = JobState.STARTING if last.verb is Verb.START else wish.state
        return Decision(state, f"a run that is to {last.verb} it is under way")
    tries = _tries(wish.request, look.heartbeat, commands, policy)
    if tries >= policy.attempts:
        return Decision(JobState.EXHAUSTED, f"gave up after {tries} attempts to {wish.request} it: {wish.reason}")
    wait = last.at + policy.first_delay * 2 ** (tries - 1) - now if tries else timedelta()
    if wait > timedelta():
        next_try = f"attempt {tries + 1} to {wish.request} it in {wait.total_seconds():.0f} s"
        return Decision(wish.state, f"{wish.reason}; {next_try}")
    return wish


def _tries(verb: Verb | None, heartbeat: Heartbeat | None, commands: Sequence[Command], policy: Policy) -> int:
    """How often in a row the supervisor has tried; starts after which the job was stable have not failed."""
    tries, until = 0, heartbeat.at if heartbeat else None
    for command in commands:
        if not command.supervised or command.verb is not verb or (until and until - command.at > policy.stable):
            break
        tries, until = tries + 1, command.at
    return tries


def _last_words(look: JobObservation) -> str:
    heartbeat = look.heartbeat
    if heartbeat is None:
        return "it died before it said anything"
    return f"it died: {heartbeat.failure or f'its last sign of life was {_moment(heartbeat.at)}'}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
