"""Report of a benchmark: progress on stderr, then one table of measurements."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

DECIMALS_BELOW = 100
"""Smaller numbers are printed with decimals."""


class MismatchError(Exception):
    """Raised when the compared programs did different work, which makes their times meaningless."""


@dataclass(frozen=True)
class Measurement:
    """Measured number, with its target if it has one."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether the number meets its target."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def __str__(self) -> str:
        line = f"{self.name:<52} {_number(self.value):>8} {self.unit:<9}"
        for sign, target in (("<=", self.at_most), (">=", self.at_least)):
            if target is not None:
                line += f" {sign} {_number(target):>6}   {'met' if self.met else 'missed'}"
        return line.rstrip()


def log_progress(message: str) -> None:
    """Print a message with the time to stderr."""
    print(f"{time.strftime('%H:%M:%S')}  {message}", file=sys.stderr, flush=True)


def measure_seconds(action: Callable[..., object], *arguments: object) -> float:
    """Return the duration of an action in seconds."""
    started = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - started


def require_equal(name: str, actual: object, expected: object) -> None:
    """Raise MismatchError unless both values are equal; the message omits them, as they may be large."""
    if actual != expected:
        raise MismatchError(f"{name} differ: the benchmark compares programs that did different work")


def print_report(*measurements: Measurement) -> None:
    """Print the table, and exit with code 1 if a target is missed."""
    for measurement in measurements:
        print(measurement)
    if not all(measurement.met for measurement in measurements):
        sys.exit(1)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < DECIMALS_BELOW else f"{value:,.0f}"
