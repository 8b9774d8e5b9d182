"""Garbage collection in processes that end after seconds: commands, and the runs that they start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Python's default is 700, with which importing Dagster starts hundreds of collections."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect garbage rarely during the block, and not at all when the process ends after it.

    Import large modules in the block. The modules of a run create 250,000 objects, none of which is garbage; searching
    them takes 1.2 s of a run that takes 3.6 s.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.freeze()
