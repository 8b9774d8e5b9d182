"""What the supervisor decides, given what it sees and what was asked for before."""

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
    """A job whose process, last heartbeat and last report of a query are so many seconds old."""
    queries = {} if query is None else {"streams/pin": QueryProgress(ago(query))}
    heartbeat = None if beat is None else Heartbeat("job", ago(since), ago(beat), queries)
    return JobObservation(JobStatus(ago(since), "log"), heartbeat)


def died(seconds: float, failure: str | None = None) -> JobObservation:
    """A job whose last sign of life is so many seconds old."""
    return JobObservation(JobStatus(None, "log"), Heartbeat("job", ago(1e6), ago(seconds), {}, failure))


def starts(*seconds: float) -> list[Command]:
    """What the supervisor asked for so many seconds ago."""
    return [Command(f"run {at}", ago(at), Verb.START, supervised=True) for at in seconds]


def by_hand(verb: Verb, seconds: float) -> Command:
    return Command(f"run {seconds}", ago(seconds), verb)


@pytest.mark.parametrize(
    ("look", "commands", "state", "request_"),
    [
        pytest.param(DOWN, [], JobState.STARTING, Verb.START, id="never started"),
        pytest.param(JobObservation(problem="no answer"), [], JobState.UNKNOWN, None, id="not to be seen"),
        pytest.param(
            JobObservation(problem="no answer"), starts(500), JobState.UNKNOWN, None, id="not to be seen any more"
        ),
        pytest.param(up(100, 1, 5), starts(101), JobState.ALIVE, None, id="runs"),
        pytest.param(up(100, 1, 5), [], JobState.ALIVE, None, id="runs, nobody knows why"),
        pytest.param(up(5), starts(6), JobState.STARTING, None, id="no heartbeat yet"),
        pytest.param(up(5, 9, 9), starts(6), JobState.STARTING, None, id="only the heartbeat of the one before"),
        pytest.param(up(50, 49), starts(51), JobState.STARTING, None, id="no query yet"),
        pytest.param(up(181), starts(182), JobState.STALLED, None, id="no heartbeat in three minutes"),
        pytest.param(up(181, 180), starts(182), JobState.STALLED, None, id="no query in three minutes"),
        pytest.param(up(1000, 61, 61), starts(1001), JobState.STALLED, None, id="no heartbeat any more"),
        pytest.param(up(1000, 1, 301), starts(1001), JobState.STALLED, None, id="a query hangs"),
        pytest.param(DOWN, [by_hand(Verb.START, 1)], JobState.DEAD, Verb.START, id="died after a start by hand"),
        pytest.param(DOWN, starts(9), JobState.DEAD, None, id="first delay"),
        pytest.param(DOWN, starts(10), JobState.DEAD, Verb.START, id="first delay is over"),
        pytest.param(DOWN, starts(19, 40), JobState.DEAD, None, id="second delay is longer"),
        pytest.param(DOWN, starts(20, 40), JobState.DEAD, Verb.START, id="second delay is over"),
        pytest.param(DOWN, starts(39, 60, 90), JobState.DEAD, None, id="third delay"),
        pytest.param(DOWN, starts(40, 60, 90), JobState.DEAD, Verb.START, id="third delay is over"),
        pytest.param(DOWN, starts(300, 340, 360, 370), JobState.EXHAUSTED, None, id="gave up"),
        pytest.param(
            DOWN, starts(9e6, 9.1e6, 9.1e6 + 9, 9.1e6 + 99), JobState.DEAD, Verb.START, id="held for long once"
        ),
        pytest.param(DOWN, starts(9e6, 9e6 + 9, 9e6 + 19, 9e6 + 99), JobState.EXHAUSTED, None, id="gave up for good"),
        pytest.param(died(1, "x"), starts(300, 340, 360, 370), JobState.EXHAUSTED, None, id="lived for minutes"),
        pytest.param(died(1), starts(1802, 1840, 1860, 1870), JobState.DEAD, Verb.START, id="lived for half an hour"),
        pytest.param(
            DOWN, [by_hand(Verb.START, 2), *starts(300, 340, 360, 370)], JobState.DEAD, Verb.START, id="a person starts"
        ),
        pytest.param(DOWN, [by_hand(Verb.STOP, 500)], JobState.STOPPED, None, id="stopped"),
        pytest.param(DOWN, [by_hand(Verb.STOP, 9e6), *starts(9.1e6)], JobState.STOPPED, None, id="stays stopped"),
        pytest.param(
            up(100, 1, 5), [by_hand(Verb.STOP, 1)], JobState.STOPPED, Verb.STOP, id="runs although it was stopped"
        ),
        pytest.param(
            up(2), [*starts(3), by_hand(Verb.STOP, 4)], JobState.STOPPED, Verb.STOP, id="a start overtaken by a stop"
        ),
    ],
)
def test_the_state_of_a_job_and_what_is_asked_for(
    look: JobObservation, commands: list[Command], state: JobState, request_: Verb | None
) -> None:
    decision = decide(look, commands, NOW, POLICY)
    assert (decision.state, decision.request) == (state, request_), decision.reason


@pytest.mark.parametrize(
    ("verb", "look", "state"), [(Verb.START, DOWN, JobState.STARTING), (Verb.STOP, up(9), "stopped")]
)
def test_nothing_is_asked_for_twice_but_what_was_lost_with_its_machine_is(
    verb: Verb, look: JobObservation, state: JobState
) -> None:
    wish = [by_hand(verb, 1000)]
    lately = decide(look, [Command("run", ago(299), verb, supervised=True, under_way=True), *wish], NOW, POLICY)
    assert (lately.state, lately.request) == (state, None)
    lost = decide(look, [Command("run", ago(301), verb, supervised=True, under_way=True), *wish], NOW, POLICY)
    assert lost.request is verb


@pytest.mark.parametrize(
    ("look", "commands", "words"),
    [
        (DOWN, starts(1), "it died before it said anything; attempt 2 to start it in 9 s"),
        (died(5, "no such table"), [by_hand(Verb.START, 9)], "it died: no such table"),
        (died(5), [by_hand(Verb.START, 9)], "it died: its last sign of life was 2026-01-01 11:59:55 UTC"),
        (died(5, "no such table"), starts(60, 70, 80, 90), "gave up after 4 attempts to start it: it died: no such"),
        (JobObservation(problem="OSError: no route"), [], "could not be looked at: OSError: no route"),
        (up(1000, 1, 301), [], "query streams/pin has done nothing since 2026-01-01 11:54:59 UTC"),
        (up(1000, 61, 61), [], "its process lives, but has said nothing since 2026-01-01 11:58:59 UTC"),
    ],
)
def test_the_reason_says_what_a_person_needs_to_know(look: JobObservation, commands: list[Command], words: str) -> None:
    assert decide(look, commands, NOW, POLICY).reason.startswith(words)


@given(st.lists(st.floats(0, 1e7), max_size=30), st.floats(0, 1e7))
def test_never_more_starts_in_a_row_than_allowed_and_each_delay_twice_the_one_before(
    ages: list[float], last_sign: float
) -> None:
    commands = starts(*sorted(ages))
    decision = decide(died(last_sign), commands, NOW, POLICY)
    if decision.request:
        in_a_row = 0
        until = ago(last_sign)
        for command in commands:
            if until - command.at > POLICY.stable:
                break
            in_a_row, until = in_a_row + 1, command.at
        assert in_a_row < POLICY.attempts
        if in_a_row:
            assert NOW - commands[0].at >= POLICY.first_delay * 2 ** (in_a_row - 1)


looks = st.one_of(
    st.builds(up, st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e6)),
    st.builds(died, st.floats(0, 1e6)),
    st.just(DOWN),
)
histories = st.lists(
    st.builds(Command, st.just("run"), st.builds(ago, st.floats(0, 1e6)), st.sampled_from(Verb), st.booleans()),
    max_size=20,
).map(lambda commands: sorted(commands, key=lambda command: command.at, reverse=True))


@given(looks, histories)
def test_only_what_is_down_is_started_and_only_what_a_person_stopped_is_stopped(
    look: JobObservation, commands: list[Command]
) -> None:
    assert look.status
    decision = decide(look, commands, NOW, POLICY)
    last_wish = next((command.verb for command in commands if not command.supervised), Verb.START)
    if decision.request is Verb.START:
        assert look.status.since is None
    if decision.request is Verb.STOP:
        assert look.status.since is not None
    assert decision.request in {None, last_wish}
