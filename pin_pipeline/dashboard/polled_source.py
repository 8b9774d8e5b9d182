"""Cache in front of a slow data source: limits how often it is polled, however many pages are open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

MIN_CACHE_SECONDS = 1.0
REST_FACTOR = 4
"""A result is cached for this many times the duration of its read: pages use at most a fifth of a source's time."""

Parameter = TypeVar("Parameter", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True)
class PolledResult(Generic[Result]):
    """Result of a source, or the error that it failed with.

    Attributes:
        since: time of the first failure since the last result; None if there is no error.
    """

    result: Result | None
    error: str | None = None
    since: datetime | None = None


class PolledSource(Generic[Parameter, Result]):
    """Data source that is read in a thread, one parameter at a time, and whose results are cached.

    Args:
        read: reads the result for a parameter.
        expected_error: exception that `read` raises when the source does not respond. Its message is shown on the page.
    """

    def __init__(self, read: Callable[[Parameter], Result], expected_error: type[Exception]) -> None:
        self._read, self._expected_error = read, expected_error
        self._lock = asyncio.Lock()
        self._cache: dict[Parameter, tuple[float, PolledResult[Result]]] = {}
        self._failing_since: datetime | None = None

    async def poll(self, parameter: Parameter) -> PolledResult[Result]:
        """Return the result for a parameter, from the cache or from the source."""
        async with self._lock:
            expires_at, result = self._cache.get(parameter, (0.0, None))
            started_at = time.monotonic()
            if result is None or started_at >= expires_at:
                result = await asyncio.to_thread(self._try_read, parameter)
                ended_at = time.monotonic()
                expires_at = ended_at + max(MIN_CACHE_SECONDS, REST_FACTOR * (ended_at - started_at))
                self._cache[parameter] = expires_at, result
            return result

    def _try_read(self, parameter: Parameter) -> PolledResult[Result]:
        try:
            result = self._read(parameter)
        except self._expected_error as error:
            self._failing_since = self._failing_since or datetime.now(UTC)
            return PolledResult(None, str(error), self._failing_since)
        self._failing_since = None
        return PolledResult(result)
