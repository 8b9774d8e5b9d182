"""Runs in separate processes: killed while they work, and two at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from pin_pipeline.local import dagster_ui
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.defs.test_end_to_end import rows_of, versions
from pin_pipeline_tests.helpers.output import read_until
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

ROWS = {"pin": pin, "geo": geo, "user": user}
RECORDS = 30


@contextmanager
def batch_process(output: int | IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """Run landing and cleaning in a separate process group, which is killed at the end of the block."""
    arguments = ["-m", "pin_pipeline.definitions", "--select", 'key:"raw/*" or key:"cleaned/*"']
    command = [sys.executable, "-m", "dagster", "asset", "materialize", *arguments]
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_and_kill_after(output: str) -> None:
    """Run landing and cleaning, and send SIGKILL to all of its processes as soon as it prints the output."""
    with batch_process(subprocess.PIPE) as process:
        read_until(process, output)


@pytest.mark.usefixtures("variables")
def test_runs_killed_and_then_repeated_concurrently_lose_and_duplicate_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_ui.dagster_home(tmp_path)))
    for record_type, row in ROWS.items():
        produce(settings, record_type, [row(number % 10) for number in range(RECORDS)] + [b"no json"])
    run_and_kill_after("raw__geo - 31 records in 2 objects")
    run_and_kill_after("cleaned/geo: reading 2 new objects")
    log = tmp_path / "both.log"
    with log.open("ab") as output, batch_process(output) as one, batch_process(output) as other:
        assert (one.wait(), other.wait()) == (0, 0), log.read_text()[-5000:]
    for record_type in RECORD_TYPES:
        store, topic = ObjectStore.of(settings), settings.topic(record_type)
        assert len(rows_of(settings, f"cleaned/{record_type}")) == 10
        assert len(rows_of(settings, f"quarantine/{record_type}")) == 1
        assert versions(settings)[f"cleaned/{record_type}"] == 1, "the table's creation and one commit"
        assert store.partitions("topics", topic) == [0]
