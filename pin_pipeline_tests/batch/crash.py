"""A process that is gone in the middle of its work, for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest


class Crash(BaseException):
    """The process is gone: nothing catches this."""


@contextmanager
def crash_at(module: ModuleType, step: str, *, done: bool, certain: bool = True) -> Iterator[None]:
    """Crash at the first call of a module's function, before it or when it is done; where `certain`, it must come."""
    original = getattr(module, step)

    def crash(*args: Any, **options: Any) -> None:
        if done:
            original(*args, **options)
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, step, crash)
        try:
            yield
        except Crash:
            return
    if certain:
        pytest.fail(f"it never came to {step}")
