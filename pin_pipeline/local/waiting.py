"""Waiting for a condition, with a deadline and a message."""

from __future__ import annotations

import time
from collections.abc import Callable

from pin_pipeline.errors import PipelineError

POLL_SECONDS = 0.1


class WaitTimeoutError(PipelineError):
    """Raised when a condition is not met within its timeout."""


def wait_until(
    predicate: Callable[[], bool],
    timeout_seconds: float,
    message: str,
    *,
    poll_seconds: float = POLL_SECONDS,
    error: type[Exception] = WaitTimeoutError,
) -> None:
    """Poll until a condition is met.

    Args:
        predicate: returns whether the condition is met; errors that it raises end the wait.
        timeout_seconds: how long to wait.
        message: message of the error, which says what did not happen and what to do.
        poll_seconds: time between two polls.
        error: class of the error.

    Raises:
        WaitTimeoutError: the condition was not met in time; or `error`, if given.
    """
    deadline = time.monotonic() + timeout_seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise error(message)
        time.sleep(poll_seconds)
