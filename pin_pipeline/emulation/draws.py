"""Which rows the emulator posts, and how long it waits before each: the same sequence for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from random import Random


@dataclass(frozen=True)
class Draw:
    """One turn of the emulator: seconds to wait, then the position of the row, in key order, to post of each table."""

    pause: int
    position: int


@dataclass(frozen=True)
class Draws:
    """`count` draws, with replacement, from the positions 0 to `last_row`; every iteration gives the same ones."""

    count: int
    seed: int = 100
    last_row: int = 11_000

    def __iter__(self) -> Iterator[Draw]:
        """Draw from the start. The pause consumes randomness whether it is waited for or not."""
        random = Random(self.seed)  # noqa: S311 - a reproducible sequence is the purpose
        for _ in repeat(None, self.count):
            yield Draw(pause=random.randrange(0, 2), position=random.randint(0, self.last_row))
