"""How often a part is asked, and what is said where it does not answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pin_pipeline.dashboard import source
from pin_pipeline.dashboard.source import REST, PolledResult, PolledSource


class Part:
    """A part that tells how often it was asked, unless it is down; each answer takes `seconds` on its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.down, self.seconds, self.now = 0, False, 0.0, 1000.0
        monkeypatch.setattr(source, "time", SimpleNamespace(monotonic=lambda: self.now))

    def ask(self, question: str) -> str:
        self.asked += 1
        self.now += self.seconds
        if self.down:
            raise OSError(f"no answer to {question}")
        return f"{question} {self.asked}"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    return Part(monkeypatch)


def test_many_who_ask_at_once_cost_like_one(part: Part) -> None:
    async def many() -> list[PolledResult[str]]:
        asking = PolledSource(part.ask, OSError)
        return await asyncio.gather(*(asking.told("a") for _ in range(100)))

    assert {told.answer for told in asyncio.run(many())} == {"a 1"}
    assert part.asked == 1


def test_an_answer_is_kept_for_a_second_and_longer_where_it_took_long(part: Part) -> None:
    async def later() -> list[str | None]:
        asking = PolledSource(part.ask, OSError)
        answers = []
        for seconds_later in (0.0, 0.9, 0.2):
            part.now += seconds_later
            answers.append((await asking.told("a")).answer)
        part.now, part.seconds = part.now + 2, 3.0
        for seconds_later in (0.0, REST * 3.0 - 0.1, 0.2):
            part.now += seconds_later
            answers.append((await asking.told("a")).answer)
        answers.append((await asking.told("b")).answer)
        return answers

    assert asyncio.run(later()) == ["a 1", "a 1", "a 2", "a 3", "a 3", "a 4", "b 5"]


def test_a_part_that_is_down_is_told_with_the_moment_since_when_until_it_answers(part: Part) -> None:
    async def over_an_outage() -> list[PolledResult[str]]:
        asking = PolledSource(part.ask, OSError)
        told = []
        for question, part.down in (("a", True), ("b", True), ("a", False), ("b", True)):
            part.now += 2
            told.append(await asking.told(question))
        return told

    before = datetime.now(UTC)
    first, second, healed, again = asyncio.run(over_an_outage())
    assert (first.problem, second.problem, again.problem) == ("no answer to a", "no answer to b", "no answer to b")
    assert first.since == second.since
    assert first.since
    assert again.since
    assert before <= first.since < again.since
    assert healed == PolledResult("a 3")
