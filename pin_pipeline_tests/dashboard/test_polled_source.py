"""Polling of a data source: how often it is read, and the error while it does not respond."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pin_pipeline.dashboard import polled_source
from pin_pipeline.dashboard.polled_source import REST_FACTOR, PolledResult, PolledSource


class CountingSource:
    """Source that counts its reads, and fails while it is down; each read takes `seconds` on its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, self.down, self.seconds, self.now = 0, False, 0.0, 1000.0
        monkeypatch.setattr(polled_source, "time", SimpleNamespace(monotonic=lambda: self.now))

    def read(self, parameter: str) -> str:
        self.reads += 1
        self.now += self.seconds
        if self.down:
            raise OSError(f"no result for {parameter}")
        return f"{parameter} {self.reads}"


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> CountingSource:
    return CountingSource(monkeypatch)


def test_concurrent_polls_share_one_read(source: CountingSource) -> None:
    async def poll_concurrently() -> list[PolledResult[str]]:
        polled = PolledSource(source.read, OSError)
        return await asyncio.gather(*(polled.poll("a") for _ in range(100)))

    assert {polled.result for polled in asyncio.run(poll_concurrently())} == {"a 1"}
    assert source.reads == 1


def test_result_is_cached_for_a_second_and_longer_after_a_slow_read(source: CountingSource) -> None:
    async def poll_over_time() -> list[str | None]:
        polled = PolledSource(source.read, OSError)
        results = []
        for seconds_later in (0.0, 0.9, 0.2):
            source.now += seconds_later
            results.append((await polled.poll("a")).result)
        source.now, source.seconds = source.now + 2, 3.0
        for seconds_later in (0.0, REST_FACTOR * 3.0 - 0.1, 0.2):
            source.now += seconds_later
            results.append((await polled.poll("a")).result)
        results.append((await polled.poll("b")).result)
        return results

    assert asyncio.run(poll_over_time()) == ["a 1", "a 1", "a 2", "a 3", "a 3", "a 4", "b 5"]


def test_outage_is_reported_with_its_start_until_the_source_responds(source: CountingSource) -> None:
    async def poll_over_an_outage() -> list[PolledResult[str]]:
        polled = PolledSource(source.read, OSError)
        results = []
        for parameter, source.down in (("a", True), ("b", True), ("a", False), ("b", True)):
            source.now += 2
            results.append(await polled.poll(parameter))
        return results

    before = datetime.now(UTC)
    first, second, recovered, again = asyncio.run(poll_over_an_outage())
    assert (first.error, second.error, again.error) == ("no result for a", "no result for b", "no result for b")
    assert first.since == second.since
    assert first.since
    assert again.since
    assert before <= first.since < again.since
    assert recovered == PolledResult("a 3")
