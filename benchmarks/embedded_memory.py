"""Benchmark of the memory of the embedded engine at the threshold: three tables at once, and the ten queries.

Each step runs in a new process. The tables have the size up to which the engine is chosen. First they are filled, from
a backlog of four times that size; then many of their rows, in all files, are merged with later records.
"""

from __future__ import annotations

import argparse
from itertools import islice

from benchmarks.cleaning_engines import run_process
from benchmarks.local_services import isolated, local_services
from benchmarks.records import draws_with_rejects, land
from benchmarks.report import Measurement, log_progress, print_report
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

MAX_MIB = 1024
MEBIBYTE = 2**20
BYTES_PER_DRAW = 242
"""Size of a draw in the three cleaned tables."""
UPDATED_SHARE = 8
"""Every eighth key is updated: the objects with the updates are half the size of the tables."""


def main() -> None:
    """Fill the tables, update them, run the queries, and print the peak memory of each process."""
    threshold = Settings.model_fields["max_embedded_bytes"].default
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=threshold // MEBIBYTE, help="size of the three tables")
    mebibytes = parser.parse_args().mib
    draws = mebibytes * MEBIBYTE // BYTES_PER_DRAW
    with local_services() as common:
        settings = isolated(common, "memory")
        log_progress(f"landing {draws:,} draws")
        for name in RECORD_TYPES:
            land(ObjectStore.of(settings), settings.topic(name), draws_with_rejects(name, draws, 0.01))
        peaks = {"cleaning of a backlog": _peak(settings, "embedded")}
        sizes = [Lake.of(settings).require(f"cleaned/{name}").bytes for name in RECORD_TYPES]
        for name in RECORD_TYPES:
            updates = islice(draws_with_rejects(name, draws, 0), 0, None, UPDATED_SHARE)
            land(ObjectStore.of(settings), settings.topic(name), updates, first_offset=draws)
        peaks["merge of updates"] = _peak(settings, "embedded")
        peaks["ten queries"] = _peak(settings, "queries")
    print_report(
        Measurement(f"size of the three tables of {draws:,} draws", sum(sizes) / MEBIBYTE, "MiB"),
        *(Measurement(f"peak memory: {step}", peak, "MiB", at_most=MAX_MIB) for step, peak in peaks.items()),
    )


def _peak(settings: Settings, program: str) -> float:
    log_progress(f"running {program}")
    [measured] = run_process(settings, program, "lake")
    return measured["peak_mib"]


if __name__ == "__main__":
    main()
