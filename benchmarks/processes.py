"""Memory and CPU time of processes, from /proc (Linux)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
USER_AND_SYSTEM = slice(11, 15)
"""Fields of /proc/<pid>/stat after the name: the ticks of the process, and of the children it has waited for."""
KIB_PER_MIB = 2**10


def process_tree(ancestor: int) -> Iterator[int]:
    """Yield a process and its descendants, which include the servers as long as the process runs."""
    children = defaultdict(list)
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = _fields(stat)[1]
            children[int(parent)].append(int(stat.parent.name))
    tree = [ancestor]
    for pid in tree:
        yield pid
        tree += children[pid]


def cpu_seconds() -> float:
    """Return the CPU time of this process and its descendants, such as Spark's JVM."""
    ticks = 0
    for pid in process_tree(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):  # the process has just ended
            ticks += sum(map(int, _fields(PROC / str(pid) / "stat")[USER_AND_SYSTEM]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mib() -> float:
    """Return the largest size that this process has had in memory so far, in MiB."""
    [line] = [line for line in (PROC / "self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / KIB_PER_MIB


def _fields(stat: Path) -> list[str]:
    """Return the fields after the name of the process, which may contain blanks."""
    return stat.read_text().rpartition(")")[2].split()
