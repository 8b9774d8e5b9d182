"""Runs as processes of their own: killed in the middle, and two at once."""

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

from pin_pipeline.local import orchestrator
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.defs.test_end_to_end import rows_of, versions
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

ROWS = {"pin": pin, "geo": geo, "user": user}
RECORDS = 30


@contextmanager
def day(output: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A run of a day's landing and cleaning in a process group of its own; no process of it outlives the block."""
    what = ["-m", "pin_pipeline.definitions", "--select", 'key:"raw/*" or key:"cleaned/*"']
    command = [sys.executable, "-m", "dagster", "asset", "materialize", *what]
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def kill_when_it_says(words: bytes) -> None:
    """Run a day, and kill -9 all of it as soon as it prints the words."""
    with day(subprocess.PIPE) as process:
        assert process.stdout
        printed = []
        for line in process.stdout:
            printed.append(line)
            if words in line:
                return
    pytest.fail(f"it ended and never said {words!r}: {b''.join(printed[-20:])!r}")


@pytest.mark.usefixtures("variables")
def test_killed_in_the_middle_and_then_run_twice_at_once_loses_and_doubles_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(orchestrator.home(tmp_path)))
    for record_type, row in ROWS.items():
        produce(settings, record_type, [row(number % 10) for number in range(RECORDS)] + [b"no json"])
    kill_when_it_says(b"raw__geo - 31 records in 2 objects")
    kill_when_it_says(b"cleaned/geo: 2 new objects")
    log = tmp_path / "both.log"
    with log.open("ab") as output, day(output) as one, day(output) as other:
        assert (one.wait(), other.wait()) == (0, 0), log.read_text()[-5000:]
    for record_type in RECORD_TYPES:
        store, topic = ObjectStore.of(settings), settings.topic(record_type)
        assert len(rows_of(settings, f"cleaned/{record_type}")) == 10
        assert len(rows_of(settings, f"quarantine/{record_type}")) == 1
        assert versions(settings)[f"cleaned/{record_type}"] == 1, "the table's creation and one commit"
        assert store.partitions("topics", topic) == [0]
