"""Sampling: a reproducible sequence of rows to post and pauses between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from random import Random

LAST_ROW = 11_000
"""Last row that the original emulator draws from."""


@dataclass(frozen=True)
class Draw:
    """One draw: the row to post of each source table.

    Attributes:
        pause: seconds to wait before the post.
        position: index of the row in key order.
    """

    pause: int
    position: int


@dataclass(frozen=True)
class Draws:
    """Draws from the rows `first_row` to `last_row`; every iteration gives the same sequence.

    Attributes:
        count: number of draws; None for an endless sequence, or every row once if `sequential`.
        last_row: last row to draw from; by default 11,000, as in the original emulator, or the last row of the tables
            if `sequential`.
        sequential: draw the rows in order instead of at random with replacement.
    """

    count: int | None
    seed: int = 100
    first_row: int = 0
    last_row: int | None = None
    sequential: bool = False

    def with_last_row(self, rows: int) -> Draws:
        """Resolve the default of `last_row` for tables with the given number of rows."""
        default = rows - 1 if self.sequential else LAST_ROW
        return replace(self, last_row=default if self.last_row is None else self.last_row)

    def __iter__(self) -> Iterator[Draw]:
        """Iterate from the first draw. The pause consumes a random number even if the run is not paced."""
        random = Random(self.seed)  # noqa: S311 - a reproducible sequence is the purpose
        last = LAST_ROW if self.last_row is None else self.last_row
        rows = iter(range(self.first_row, last + 1)) if self.sequential else None
        for _ in repeat(None) if self.count is None else repeat(None, self.count):
            pause = random.randrange(0, 2)
            position = random.randint(self.first_row, last) if rows is None else next(rows, None)
            if position is None:
                return
            yield Draw(pause, position)
