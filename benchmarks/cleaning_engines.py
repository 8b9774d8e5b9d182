"""Benchmark of cleaning new draws of all three record types: the embedded engine, plain Spark, and DuckDB + delta-rs.

Each program runs in a process of its own and cleans the same objects twice, into empty tables: the first time counts
from the start of the process (imports, Spark session), the second time is the cleaning alone, in a warm process. The
tables are compared cell by cell. Only the embedded engine keeps the rejected records, and statistics and progress.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import pyarrow as pa

from benchmarks.local_services import isolated, local_services
from benchmarks.records import draws_with_rejects, land
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.quarantine.schema import topic_quarantine_key
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

PROGRAMS = ("embedded", "plain_spark", "duckdb")
REJECTED_SHARE = 0.01
MEMORY_MIB = 1024
CLOCKS = {"whole process": True, "warm process": True, "whole process, CPU": False, "warm process, CPU": False}
"""The measured times, and whether each has a target. CPU times are less sensitive to other work on the machine."""
TARGETS = {100_000: 3.0, 1_000_000: 1.5}
"""Smallest ratio of the embedded engine's speed to that of plain Spark, by number of draws."""


def main() -> None:
    """Measure all programs in turn, for each number of draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, nargs="+", default=[100_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    measurements: list[Measurement] = []
    with local_services() as settings:
        for draws in arguments.draws:
            measurements += _measure(isolated(settings, f"draws-{draws}"), draws, arguments.rounds)
    print_report(*measurements)


def _measure(settings: Settings, draws: int, rounds: int) -> Iterator[Measurement]:
    log_progress(f"landing {draws:,} draws")
    for name in RECORD_TYPES:
        land(ObjectStore.of(settings), settings.topic(name), draws_with_rejects(name, draws, REJECTED_SHARE))
    outcomes = defaultdict(list)
    for number in range(rounds):
        for program in PROGRAMS:
            roots = [f"{program}-{number}-{each}" for each in ("first", "second")]
            first, second = run_process(settings, program, *roots)
            measured = {
                "whole process": first["process"],
                "whole process, CPU": first["process_cpu"],
                "warm process": second["cleaning"],
                "warm process, CPU": second["cleaning_cpu"],
                "peak": second["peak_mib"],
            }
            outcomes[program].append(measured)
            log_progress(f"round {number + 1} of {rounds}: {program}: {measured}")
        if number == 0:
            _require_same_tables(settings, draws)
        for program in PROGRAMS:
            for each in ("first", "second"):
                ObjectStore.of(settings).delete_prefix(f"{program}-{number}-{each}/")
    for clock, has_target in CLOCKS.items():
        seconds = {program: [each[clock] for each in found] for program, found in outcomes.items()}
        for program, found in seconds.items():
            spread = f"{min(found):.1f} to {max(found):.1f}"
            yield Measurement(f"{draws:,} draws, {clock}, {program} ({spread})", median(found), "s")
        ratios = [peer / own for own, peer in zip(seconds["embedded"], seconds["plain_spark"], strict=True)]
        spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
        name = f"{draws:,} draws, {clock}, speed / plain Spark ({spread})"
        yield Measurement(name, median(ratios), "x", at_least=TARGETS.get(draws) if has_target else None)
    peak = max(each["peak"] for each in outcomes["embedded"])
    yield Measurement(f"{draws:,} draws, peak memory of the embedded process", peak, "MiB", at_most=MEMORY_MIB)


def run_process(settings: Settings, program: str, *roots: str) -> list[dict[str, float]]:
    """Run a program in a new process; returns what it measured for each root."""
    command = [sys.executable, "-m", "benchmarks.cleaning_process", str(time.time()), program, *roots]
    environment = os.environ | settings.variables()
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return [json.loads(line) for line in finished.stdout.splitlines() if line.startswith(b"{")]


def _require_same_tables(settings: Settings, draws: int) -> None:
    log_progress("comparing the tables")
    own = replace(Lake.of(settings), root="embedded-0-first")
    for name in RECORD_TYPES:
        cells = _cells(own, name)
        rejected = own.require(topic_quarantine_key(name)).rows
        require_equal(f"{name}: rejected and invalid records", rejected, round(draws * REJECTED_SHARE))
        require_equal(f"{name}: number of records", cells.num_rows + rejected, draws)
        for program in ("embedded-0-second", "plain_spark-0-first", "duckdb-0-first"):
            require_equal(f"{name}: cells of {program}", _cells(replace(own, root=program), name), cells)


def _cells(lake: Lake, name: str) -> pa.Table:
    columns = ", ".join(column.name for column in RECORD_TYPES[name].columns)
    return lake.require(f"cleaned/{name}").query(f"select {columns} from t order by ind").combine_chunks()  # noqa: S608


if __name__ == "__main__":
    main()
