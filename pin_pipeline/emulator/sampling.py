"""Which rows the emulator posts, and how long it waits before each: the same sequence for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from random import Random

LAST_ROW = 11_000


@dataclass(frozen=True)
class Draw:
    """One turn of the emulator: seconds to wait, then the position of the row, in key order, to post of each table."""

    pause: int
    position: int


@dataclass(frozen=True)
class Draws:
    """Draws from the rows `first_row` to `last_row`; every iteration gives the same ones.

    Attributes:
        count: how many; None for no end, or, one after the other, for every row once.
        last_row: by default the original emulator's, 11,000, or, one after the other, the last row that there is.
        sequential: one row after the other, instead of at random and with replacement.
    """

    count: int | None
    seed: int = 100
    first_row: int = 0
    last_row: int | None = None
    sequential: bool = False

    def within(self, rows: int) -> Draws:
        """The draws from tables of so many rows."""
        default = rows - 1 if self.sequential else LAST_ROW
        return replace(self, last_row=default if self.last_row is None else self.last_row)

    def __iter__(self) -> Iterator[Draw]:
        """Draw from the start. The pause consumes randomness whether it is waited for or not."""
        random = Random(self.seed)  # noqa: S311 - a reproducible sequence is the purpose
        last = LAST_ROW if self.last_row is None else self.last_row
        rows = iter(range(self.first_row, last + 1)) if self.sequential else None
        for _ in repeat(None) if self.count is None else repeat(None, self.count):
            pause = random.randrange(0, 2)
            position = random.randint(self.first_row, last) if rows is None else next(rows, None)
            if position is None:
                return
            yield Draw(pause, position)
