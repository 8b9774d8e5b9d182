"""Simulated crashes: a function raises instead of returning, as if the process had been killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Crash(BaseException):
    """Simulates a killed process; no code catches it."""


@contextmanager
def crash_at(owner: object, step: str, *, done: bool, certain: bool = True) -> Iterator[None]:
    """Crash at the first call of a function.

    Args:
        owner: module or class of the function.
        step: name of the function.
        done: crash after the function instead of before it.
        certain: fail if the function is not called.
    """
    original = getattr(owner, step)

    def crash(*args: Any, **options: Any) -> None:
        if done:
            original(*args, **options)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, step, crash)
        try:
            yield
        except Crash:
            return
    if certain:
        pytest.fail(f"{step} was not called")
