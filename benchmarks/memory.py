"""Benchmark of memory: the peak of the local environment while the jobs `emulation` and `daily_batch` run.

It is the sum of the proportional set sizes, in which pages shared between processes count once, of the servers, the
jobs with Spark's JVM, and this process in place of the command line.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.local_services import local_services
from benchmarks.processes import PROC, process_tree
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local import servers
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress

DRAWS = 1_000
SAMPLE_SECONDS = 0.2
KIB_PER_GIB = 2**20


def main() -> None:
    """Sample the memory of all processes while both jobs run."""
    if sys.platform != "linux":
        sys.exit("benchmarks.memory runs on Linux only: it reads the proportional set sizes in /proc")
    with local_services() as settings:
        synthetic.fill_if_empty(SourceDatabase(settings.source_url))
        with _sampled() as samples:
            log_progress(f"job emulation, {DRAWS} draws")
            run_job(settings, "emulation", {"ops": {"post": {"config": {"draws": DRAWS}}}})
            log_progress("job daily_batch")
            run_job(settings, "daily_batch", {})
        for record_type in RECORD_TYPES:
            landed = CleaningProgress.of(Lake.of(settings).require(f"cleaned/{record_type}")).landed
            require_equal(f"{record_type} records landed and posted", landed, DRAWS)
    peak = max(samples, key=Counter.total)
    print_report(
        *(Measurement(f"  {name}", kib / KIB_PER_GIB, "GiB") for name, kib in peak.most_common()),
        Measurement(f"peak of {len(samples)} samples", peak.total() / KIB_PER_GIB, "GiB", at_most=4),
    )


@contextmanager
def _sampled() -> Iterator[list[Counter[str]]]:
    """Sample the memory of each process, in KiB, repeatedly while the block runs."""
    names = {state.process.pid: state.name for state in servers.status()} | {os.getpid(): "command line"}
    samples: list[Counter[str]] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            samples.append(_sample(names))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _sample(names: dict[int, str]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for pid in process_tree(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):  # the process has just ended
            folder = PROC / str(pid)
            in_job = "Spark" if (folder / "comm").read_text() == "java\n" else "job"
            sizes[names.get(pid, in_job)] += _proportional_set_size(folder)
    return sizes


def _proportional_set_size(folder: Path) -> int:
    [line] = [line for line in (folder / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return int(line.split()[1])


if __name__ == "__main__":
    main()
