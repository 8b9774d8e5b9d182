"""Asks a part of the pipeline what the page shows: seldom, however many pages ask, and without waiting in line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

KEPT_SECONDS = 1.0
# A part that needs long is left alone for so many times as long: pages take a fifth of its time at most.
REST = 4

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PolledResult(Generic[Answer]):
    """What a part told, or why it did not answer, and since when it does not."""

    answer: Answer | None
    problem: str | None = None
    since: datetime | None = None


class PolledSource(Generic[Question, Answer]):
    """A part that answers questions, one at a time, in a thread. Its answers are kept for a while.

    Args:
        failure: what `ask` raises where the part does not answer; its message is for those who look at the page.
    """

    def __init__(self, ask: Callable[[Question], Answer], failure: type[Exception]) -> None:
        self._ask, self._failure = ask, failure
        self._one_at_a_time = asyncio.Lock()
        self._kept: dict[Question, tuple[float, PolledResult[Answer]]] = {}
        self._silent_since: datetime | None = None

    async def told(self, question: Question) -> PolledResult[Answer]:
        """The answer, which may be one of a moment ago."""
        async with self._one_at_a_time:
            until, told = self._kept.get(question, (0.0, None))
            began = time.monotonic()
            if told is None or began >= until:
                told = await asyncio.to_thread(self._now, question)
                ended = time.monotonic()
                self._kept[question] = ended + max(KEPT_SECONDS, REST * (ended - began)), told
            return told

    def _now(self, question: Question) -> PolledResult[Answer]:
        try:
            answer = self._ask(question)
        except self._failure as error:
            self._silent_since = self._silent_since or datetime.now(UTC)
            return PolledResult(None, str(error), self._silent_since)
        self._silent_since = None
        return PolledResult(answer)
