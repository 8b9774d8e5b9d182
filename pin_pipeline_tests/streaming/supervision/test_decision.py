"""Decisions of the stream supervisor, for given observations and past commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pin_pipeline.streaming.supervision.backend import JobStatus
from pin_pipeline.streaming.supervision.decision import Command, JobObservation, JobState, Policy, Verb, decide
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, QueryProgress

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = Policy(first_delay=timedelta(seconds=10), attempts=4)
DOWN = JobObservation(JobStatus(None, "log"))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def up(since: float, beat: float | None = None, query: float | None = None) -> JobObservation:
    """Return a running job with the ages, in seconds, of its process, last heartbeat and last report of a query."""
    queries = {} if query is None else {"streams/pin": QueryProgress(ago(query))}
    heartbeat = None if beat is None else Heartbeat("job", ago(since), ago(beat), queries)
    return JobObservation(JobStatus(ago(since), "log"), heartbeat)


def died(seconds: float, failure: str | None = None) -> JobObservation:
    """Return a job that is not running, with the age of its last heartbeat in seconds."""
    return JobObservation(JobStatus(None, "log"), Heartbeat("job", ago(1e6), ago(seconds), {}, failure))


def stopped(seconds: float) -> JobObservation:
    """Return a job that is not running, with the age of its end in seconds: it was told to stop."""
    heartbeat = Heartbeat("job", ago(seconds + 5), ago(seconds), {}, stopped_at=ago(seconds))
    return JobObservation(JobStatus(None, "log"), heartbeat)


def starts(*seconds: float) -> list[Command]:
    """Return start commands by the supervisor, with their ages in seconds, newest first."""
    return [Command(f"run {at}", ago(at), Verb.START, supervised=True) for at in seconds]


def by_user(verb: Verb, seconds: float) -> Command:
    return Command(f"run {seconds}", ago(seconds), verb)


@pytest.mark.parametrize(
    ("observation", "commands", "state", "request_"),
    [
        pytest.param(DOWN, [], JobState.STARTING, Verb.START, id="never started"),
        pytest.param(JobObservation(error="no answer"), [], JobState.UNKNOWN, None, id="status unknown"),
        pytest.param(
            JobObservation(error="no answer"), starts(500), JobState.UNKNOWN, None, id="status unknown after a start"
        ),
        pytest.param(up(100, 1, 5), starts(101), JobState.ALIVE, None, id="runs"),
        pytest.param(up(100, 1, 5), [], JobState.ALIVE, None, id="runs without a command"),
        pytest.param(up(5), starts(6), JobState.STARTING, None, id="no heartbeat yet"),
        pytest.param(up(5, 9, 9), starts(6), JobState.STARTING, None, id="only the heartbeat of the one before"),
        pytest.param(up(50, 49), starts(51), JobState.STARTING, None, id="no query yet"),
        pytest.param(up(181), starts(182), JobState.STALLED, None, id="no heartbeat in three minutes"),
        pytest.param(up(181, 180), starts(182), JobState.STALLED, None, id="no query in three minutes"),
        pytest.param(up(1000, 61, 61), starts(1001), JobState.STALLED, None, id="no heartbeat any more"),
        pytest.param(up(1000, 1, 301), starts(1001), JobState.STALLED, None, id="a query hangs"),
        pytest.param(DOWN, [by_user(Verb.START, 1)], JobState.DEAD, Verb.START, id="died after a start by hand"),
        pytest.param(DOWN, starts(9), JobState.DEAD, None, id="first delay"),
        pytest.param(DOWN, starts(10), JobState.DEAD, Verb.START, id="first delay is over"),
        pytest.param(DOWN, starts(19, 40), JobState.DEAD, None, id="second delay is longer"),
        pytest.param(DOWN, starts(20, 40), JobState.DEAD, Verb.START, id="second delay is over"),
        pytest.param(DOWN, starts(39, 60, 90), JobState.DEAD, None, id="third delay"),
        pytest.param(DOWN, starts(40, 60, 90), JobState.DEAD, Verb.START, id="third delay is over"),
        pytest.param(DOWN, starts(300, 340, 360, 370), JobState.EXHAUSTED, None, id="gave up"),
        pytest.param(
            DOWN, starts(9e6, 9.1e6, 9.1e6 + 9, 9.1e6 + 99), JobState.DEAD, Verb.START, id="one start was stable"
        ),
        pytest.param(DOWN, starts(9e6, 9e6 + 9, 9e6 + 19, 9e6 + 99), JobState.EXHAUSTED, None, id="gave up long ago"),
        pytest.param(died(1, "x"), starts(300, 340, 360, 370), JobState.EXHAUSTED, None, id="lived for minutes"),
        pytest.param(died(1), starts(1802, 1840, 1860, 1870), JobState.DEAD, Verb.START, id="lived for half an hour"),
        pytest.param(
            stopped(1), starts(10, 100, 200, 300, 400), JobState.DEAD, Verb.START, id="told to stop after each start"
        ),
        pytest.param(stopped(50), starts(9, 100, 200, 300, 400), JobState.DEAD, None, id="failed after it was stopped"),
        pytest.param(
            stopped(900), starts(300, 340, 360, 370, 1000), JobState.EXHAUSTED, None, id="gave up after it was stopped"
        ),
        pytest.param(
            DOWN, [by_user(Verb.START, 2), *starts(300, 340, 360, 370)], JobState.DEAD, Verb.START, id="a person starts"
        ),
        pytest.param(DOWN, [by_user(Verb.STOP, 500)], JobState.STOPPED, None, id="stopped"),
        pytest.param(DOWN, [by_user(Verb.STOP, 9e6), *starts(9.1e6)], JobState.STOPPED, None, id="stays stopped"),
        pytest.param(
            up(100, 1, 5), [by_user(Verb.STOP, 1)], JobState.STOPPED, Verb.STOP, id="runs although it was stopped"
        ),
        pytest.param(
            up(2), [*starts(3), by_user(Verb.STOP, 4)], JobState.STOPPED, Verb.STOP, id="a start overtaken by a stop"
        ),
    ],
)
def test_decision_has_the_expected_state_and_request(
    observation: JobObservation, commands: list[Command], state: JobState, request_: Verb | None
) -> None:
    decision = decide(observation, commands, NOW, POLICY)
    assert (decision.state, decision.request) == (state, request_), decision.reason


@pytest.mark.parametrize(
    ("verb", "observation", "state"), [(Verb.START, DOWN, JobState.STARTING), (Verb.STOP, up(9), "stopped")]
)
def test_command_in_progress_is_not_repeated_until_it_is_lost(
    verb: Verb, observation: JobObservation, state: JobState
) -> None:
    earlier = [by_user(verb, 1000)]
    in_progress = decide(
        observation, [Command("run", ago(299), verb, supervised=True, under_way=True), *earlier], NOW, POLICY
    )
    assert (in_progress.state, in_progress.request) == (state, None)
    lost = decide(observation, [Command("run", ago(301), verb, supervised=True, under_way=True), *earlier], NOW, POLICY)
    assert lost.request is verb


@pytest.mark.parametrize(
    ("observation", "commands", "reason"),
    [
        (DOWN, starts(1), "its process exited before the first heartbeat; attempt 2 to start it follows in 9 s"),
        (died(5, "no such table"), [by_user(Verb.START, 9)], "its process failed: no such table"),
        (
            died(5),
            [by_user(Verb.START, 9)],
            "its process exited without an error message; the last heartbeat is from 2026-01-01 11:59:55 UTC",
        ),
        (
            died(5, "no such table"),
            starts(60, 70, 80, 90),
            "the supervisor gave up after 4 attempts to start it: its process failed: no such",
        ),
        (JobObservation(error="OSError: no route"), [], "its status could not be read: OSError: no route"),
        (up(1000, 1, 301), [], "its query streams/pin reported no progress since 2026-01-01 11:54:59 UTC"),
        (up(1000, 61, 61), [], "its process is running, but wrote no heartbeat since 2026-01-01 11:58:59 UTC"),
    ],
)
def test_reason_explains_the_state(observation: JobObservation, commands: list[Command], reason: str) -> None:
    assert decide(observation, commands, NOW, POLICY).reason.startswith(reason)


@given(st.lists(st.floats(0, 1e7), max_size=30), st.floats(0, 1e7))
def test_starts_are_limited_and_their_delays_double(ages: list[float], heartbeat_age: float) -> None:
    commands = starts(*sorted(ages))
    decision = decide(died(heartbeat_age), commands, NOW, POLICY)
    if decision.request:
        failures = 0
        until = ago(heartbeat_age)
        for command in commands:
            if until - command.at > POLICY.stable:
                break
            failures, until = failures + 1, command.at
        assert failures < POLICY.attempts
        if failures:
            assert NOW - commands[0].at >= POLICY.first_delay * 2 ** (failures - 1)


observations = st.one_of(
    st.builds(up, st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e6)),
    st.builds(died, st.floats(0, 1e6)),
    st.just(DOWN),
)
histories = st.lists(
    st.builds(Command, st.just("run"), st.builds(ago, st.floats(0, 1e6)), st.sampled_from(Verb), st.booleans()),
    max_size=20,
).map(lambda commands: sorted(commands, key=lambda command: command.at, reverse=True))


@given(observations, histories)
def test_only_dead_jobs_are_started_and_only_jobs_stopped_by_a_user_are_stopped(
    observation: JobObservation, commands: list[Command]
) -> None:
    assert observation.status
    decision = decide(observation, commands, NOW, POLICY)
    desired = next((command.verb for command in commands if not command.supervised), Verb.START)
    if decision.request is Verb.START:
        assert observation.status.since is None
    if decision.request is Verb.STOP:
        assert observation.status.since is not None
    assert decision.request in {None, desired}
