"""One batch step at a time writes to the local lake, whichever engine it runs on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.local.writer_lock import only_writer
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings, child_environment
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table, totals
from pin_pipeline_tests.databricks.conftest import materialize, resources
from pin_pipeline_tests.helpers.rows import geo, pin, user

ROWS = {"pin": pin, "geo": geo, "user": user}
TIMEOUT_SECONDS = 60
RUN = """
import sys
import dagster as dg
from pin_pipeline.settings import Settings
from pin_pipeline_tests.databricks.conftest import materialize, resources
with dg.instance_for_test() as instance:
    print("ready", flush=True)
    sys.stdin.readline()
    sys.exit(not materialize(resources(Settings.load(), "embedded"), instance, *sys.argv[1:]).success)
"""
CLEANED = [f"cleaned/{record_type}" for record_type in RECORD_TYPES]
HOLD = """
import sys
from pathlib import Path
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.local.writer_lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@contextmanager
def embedded_run(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Start a process that runs the batch on the embedded engine when it reads a line."""
    pipe, environment = subprocess.PIPE, child_environment(settings.variables())
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *CLEANED], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.usefixtures("spark")
def test_steps_of_both_engines_that_start_at_once_publish_each_record_once(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    for day in range(2):
        for record_type, row in ROWS.items():
            put(settings, record_type, [row(1), row(day + 2), b"no json"], first=3 * day)
        with embedded_run(settings) as process:
            assert process.stdin
            process.stdin.write("start\n")
            process.stdin.flush()
            assert materialize(resources(settings, "spark"), instance, *CLEANED).success
        assert process.returncode == 0
        landed = 3 * (day + 1)
        for record_type in RECORD_TYPES:
            [report] = run_clean(settings, EmbeddedEngine(), record_type).values()
            assert totals(report) == (landed, day + 2, day, day + 1, 0)
            assert [
                row["ind"] for row in table(settings, f"cleaned/{record_type}", "select ind from t order by ind")
            ] == [*range(1, day + 3)]


def test_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        entered = threading.Event()

        def enter() -> None:
            with only_writer(tmp_path):
                entered.set()

        waiter = threading.Thread(target=enter)
        waiter.start()
        assert not entered.wait(0.1)
        holder.kill()
        assert entered.wait(TIMEOUT_SECONDS)
        waiter.join()
