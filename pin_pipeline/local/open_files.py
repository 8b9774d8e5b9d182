"""Limit of open files: Kafka and Spark need more than some systems allow a process by default."""

from __future__ import annotations

import resource

from pin_pipeline.local.errors import LocalError

NEEDED, WANTED = 1024, 65_536


def allow_many_open_files() -> None:
    """Raise the limit of open files of this process, which child processes inherit.

    Raises:
        LocalError: the system does not allow enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    if not unlimited and hard < NEEDED:
        raise LocalError(f"a process may have {hard} open files, but Spark and Kafka need {NEEDED}: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < WANTED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED if unlimited else min(hard, WANTED), hard))
