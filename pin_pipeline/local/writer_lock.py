"""Lock of the only batch writer of a lake on this machine."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def only_writer(home: Path) -> Iterator[None]:
    """Hold the lock during the block, after waiting for the process that holds it; it is released when a process ends.

    Args:
        home: folder of the local state.
    """
    path = home / "spark.lock"  # an earlier release, whose runs may still be active, has this name
    home.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another run is writing to the lake, waiting for it to end (%s)", path)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
