"""Runs that a user terminates while they land, clean and query."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.local.dagster_ui import CONFIG_FILE, dagster_home
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings, child_environment
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline_tests.helpers.output import read_until
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

RECORDS = 2_000
"""Records in each partition before each run."""
KEYS = 1_000
SECONDS_TO_END = 10
"""Bound on the time from the request to the end of the run."""
TERMINATIONS = (
    ("raw__geo - topics/", "embedded", "raw__"),
    ("cleaned/pin: reading", "embedded", "cleaned"),
    ("cleaned/pin: reading", "spark", "cleaned"),
    ("queries - batch engine: embedded", "embedded", "queries"),
)
"""Output at which a run is terminated, its engine, and how the name of the last step that it starts begins."""
ROWS = {"pin": pin, "geo": geo, "user": user}


class Runs:
    """Runs of the daily batch in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.home = dagster_home(folder)
        (folder / CONFIG_FILE).write_text("{}")

    def start(self, engine: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pin_pipeline.defs.run_job", "daily_batch", str(self._folder)],
            env=child_environment(os.environ | {"PIN_BATCH_ENGINE": engine}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def terminate_at(self, output: str, engine: str) -> list[str]:
        """Terminate a run as soon as it prints this output, and return the steps that it has started."""
        with self.start(engine) as process, dg.DagsterInstance.from_config(str(self.home)) as instance:
            read_until(process, output)
            [run] = instance.get_runs(limit=1)
            instance.report_run_canceling(run)
            requested = time.time()
            process.send_signal(signal.SIGINT)
            process.communicate()
            [record] = instance.get_run_records(limit=1)
            assert record.dagster_run.status is dg.DagsterRunStatus.CANCELED
            assert record.end_time is not None
            assert record.end_time - requested < SECONDS_TO_END
            events = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_START).records
            return [str(event.event_log_entry.step_key) for event in events]


@pytest.mark.usefixtures("variables")
def test_run_terminated_during_any_work_ends_in_time_and_the_next_run_completes_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(runs.home))
    for output, engine, step_prefix in TERMINATIONS:
        for record_type, row in ROWS.items():
            for partition in range(PARTITIONS):
                produce(settings, record_type, [row(number % KEYS) for number in range(RECORDS)], partition)
        assert runs.terminate_at(output, engine)[-1].startswith(step_prefix)
    with runs.start("embedded") as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    for record_type in RECORD_TYPES:
        table = Lake.of(settings).require(f"cleaned/{record_type}")
        assert table.rows == KEYS
        assert CleaningProgress.of(table).landed == len(TERMINATIONS) * PARTITIONS * RECORDS
