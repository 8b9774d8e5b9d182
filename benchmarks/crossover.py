"""Benchmark of the size at which Spark becomes faster than the embedded engine, by the bytes that choose the engine.

Each day lands pins with new keys, and then a few pins with existing keys in all files of the table. Both engines clean
them in turn, each in a process of its own and into its own table. Spark's session is warm; its start is a separate
number, because a daily run pays it once.
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
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from statistics import linear_regression
from typing import IO

from benchmarks.local_services import isolated, local_services
from benchmarks.records import draws_with_rejects, land
from benchmarks.report import log_progress, require_equal
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

ENGINES = ("embedded", "spark")
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Step:
    """One cleaning: whether its keys are new, the bytes to read and rewrite, and the seconds of each engine."""

    keys: str
    mebibytes: float
    seconds: dict[str, float]


@dataclass(frozen=True)
class EngineProcess:
    """A running engine."""

    name: str
    requests: IO[str]
    responses: IO[str]

    def clean(self) -> dict[str, float]:
        """Clean the new objects, and return what was measured."""
        print(self.name, file=self.requests, flush=True)
        for line in self.responses:
            if line.startswith("{"):
                measured: dict[str, float] = json.loads(line)
                return measured
        raise ChildProcessError(f"the process of the {self.name} engine has ended")


def main() -> None:
    """Run the days, and print the duration of each and the size at which the engines are equally fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--pins", type=int, default=300_000, help="new pins a day")
    parser.add_argument("--updates", type=int, default=1_000, help="pins with existing keys a day")
    arguments = parser.parse_args()
    steps: list[Step] = []
    with local_services() as common:
        settings = isolated(common, "crossover")
        with _engine(settings, "embedded") as embedded, _engine(settings, "spark") as spark:
            start = {engine.name: engine.clean()["process"] for engine in (embedded, spark)}  # nothing has landed yet
            print(f"start of the process: embedded {start['embedded']:.1f} s, spark {start['spark']:.1f} s")
            print(f"{'day':>3} {'step':<8} {'MiB':>6} {'embedded':>9} {'spark':>7} {'with start':>11} {'ratio':>6}")
            for day in range(arguments.days):
                for step in _day(settings, (embedded, spark), day, arguments.pins, arguments.updates):
                    own, peer = (step.seconds[name] for name in ENGINES)
                    times = f"{own:>9.1f} {peer:>7.1f} {peer + start['spark']:>11.1f} {peer / own:>6.2f}"
                    print(f"{day + 1:>3} {step.keys:<8} {step.mebibytes:>6.0f} {times}", flush=True)
                    steps.append(step)
        _require_same_tables(settings, arguments.days * arguments.pins, arguments.pins)
    for keys in ("new", "updates") if arguments.days > 1 else ():
        _print_crossover(keys, [step for step in steps if step.keys == keys], start["spark"] - start["embedded"])


@contextmanager
def _engine(settings: Settings, name: str) -> Iterator[EngineProcess]:
    command = [sys.executable, "-m", "benchmarks.cleaning_process", str(time.time()), name]
    with subprocess.Popen(  # noqa: S603
        command, env=os.environ | settings.variables(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - they are pipes
        yield EngineProcess(name, process.stdin, process.stdout)
        process.stdin.close()


def _day(settings: Settings, engines: tuple[EngineProcess, ...], day: int, pins: int, updates: int) -> Iterator[Step]:
    store, topic, before = ObjectStore.of(settings), settings.topic(PIN.name), day * pins
    offset = 2 * day * pins  # offsets may have gaps
    log_progress(f"day {day + 1}: landing {pins:,} pins")
    land(store, topic, draws_with_rejects(PIN.name, pins, 0, first_key=before), offset)
    yield _clean(settings, "new", engines)
    every = max(1, (before + pins) // updates)
    existing = islice(draws_with_rejects(PIN.name, before + pins, 0), 0, None, every)
    land(store, topic, existing, offset + pins // PARTITIONS + 1)
    yield _clean(settings, "updates", engines[::-1])


def _clean(settings: Settings, keys: str, engines: tuple[EngineProcess, ...]) -> Step:
    table = replace(Lake.of(settings), root=ENGINES[0]).require(f"cleaned/{PIN.name}")
    size = CleaningProgress.of(table).new_bytes(ObjectStore.of(settings), settings.topic(PIN.name)) + table.bytes
    seconds = {engine.name: engine.clean()["cleaning"] for engine in engines}
    return Step(keys, size / MEBIBYTE, seconds)


def _require_same_tables(settings: Settings, keys: int, keys_at_once: int) -> None:
    log_progress("comparing the tables")
    tables = [replace(Lake.of(settings), root=name).require(f"cleaned/{PIN.name}") for name in ENGINES]
    for first in range(0, keys, keys_at_once):
        sql = f"select * from t where ind >= {first} and ind < {first + keys_at_once} order by ind"  # noqa: S608
        own, peer = (table.query(sql).combine_chunks() for table in tables)
        require_equal("number of rows and keys", own.num_rows, keys_at_once)
        require_equal("cells of the tables", own, peer)


def _print_crossover(keys: str, steps: list[Step], start: float) -> None:
    sizes, seconds = [step.mebibytes for step in steps], defaultdict(list)
    for step in steps:
        for name in ENGINES:
            seconds[name].append(step.seconds[name])
    own, peer = (linear_regression(sizes, seconds[name]) for name in ENGINES)
    slopes = ", ".join(f"{name} {line.slope * 100:.2f}" for name, line in zip(ENGINES, (own, peer), strict=True))
    print(f"{keys}: seconds per 100 MiB: {slopes}")
    for title, lead in (("in a warm session", 0.0), ("with the start of the session", start)):
        size = (peer.intercept + lead - own.intercept) / (own.slope - peer.slope)
        found = f"from {size:,.0f} MiB on" if own.slope > peer.slope else "at no size"
        print(f"{keys}: Spark is faster {title}: {found}")


if __name__ == "__main__":
    main()
