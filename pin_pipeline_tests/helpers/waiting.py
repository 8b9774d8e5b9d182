"""Waiting for a condition in a test, which fails when it is not met in time."""

from __future__ import annotations

from collections.abc import Callable

from pin_pipeline.local import waiting

TIMEOUT_SECONDS, POLL_SECONDS = 20, 0.01


def wait_until(
    predicate: Callable[[], bool],
    timeout_seconds: float = TIMEOUT_SECONDS,
    message: str = "the condition was not met",
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Poll until a condition is met, and fail the test when it is not met in time."""
    waiting.wait_until(predicate, timeout_seconds, message, poll_seconds=poll_seconds, error=AssertionError)
