"""What a benchmark says: progress on stderr, then one table of what it measured."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

SMALL = 100


class MismatchError(Exception):
    """What is compared did not do the same work, so its times say nothing."""


@dataclass(frozen=True)
class Measured:
    """A number, and what it should be where it has a target."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the number is as good as it should be."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def __str__(self) -> str:
        line = f"{self.what:<52} {_number(self.value):>8} {self.unit:<9}"
        for sign, target in (("<=", self.at_most), (">=", self.at_least)):
            if target is not None:
                line += f" {sign} {_number(target):>6}   {'met' if self.met else 'missed'}"
        return line.rstrip()


def say(progress: str) -> None:
    """Tell who waits what goes on."""
    print(f"{time.strftime('%H:%M:%S')}  {progress}", file=sys.stderr, flush=True)


def seconds(action: Callable[..., object], *arguments: object) -> float:
    """How long an action takes."""
    started = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - started


def require_equal(what: str, found: object, expected: object) -> None:
    """Raise MismatchError unless both are the same; they may be too large to be shown."""
    if found != expected:
        raise MismatchError(f"{what}: not the same")


def conclude(*lines: Measured) -> None:
    """Print the table; exit code 1 where a target was missed."""
    for line in lines:
        print(line)
    if not all(line.met for line in lines):
        sys.exit(1)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < SMALL else f"{value:,.0f}"
