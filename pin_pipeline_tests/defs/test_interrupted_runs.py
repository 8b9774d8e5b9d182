"""Runs that were in progress when all processes of Dagster were killed."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.defs.interrupted_runs import end_interrupted_runs
from pin_pipeline.local.dagster_ui import COMMAND_TAG, dagster_home, job_log
from pin_pipeline.settings import child_environment


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return dagster_home(tmp_path)


@pytest.fixture
def instance(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def killed_run(home: Path, instance: dg.DagsterInstance, *tags: str) -> dg.DagsterRun:
    """Start a run, kill its process, and return it."""
    before = {run.run_id for run in instance.get_runs()}
    command = [sys.executable, "-m", "pin_pipeline_tests.defs.endless_job", *tags]
    environment = child_environment({"DAGSTER_HOME": str(home)})
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        process.kill()
    [run] = [run for run in instance.get_runs() if run.run_id not in before]
    assert run.status is dg.DagsterRunStatus.STARTED
    return run


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    stored = instance.get_run_by_id(run.run_id)
    assert stored
    return stored.status


def test_killed_runs_are_marked_as_failed_or_canceled_once(home: Path, instance: dg.DagsterInstance) -> None:
    failed, canceled = killed_run(home, instance), killed_run(home, instance)
    instance.report_run_canceling(canceled)
    assert set(end_interrupted_runs(instance)) == {failed.run_id, canceled.run_id}
    assert status(instance, failed) is dg.DagsterRunStatus.FAILURE
    assert status(instance, canceled) is dg.DagsterRunStatus.CANCELED
    assert end_interrupted_runs(instance) == []


def test_run_of_a_command_that_is_still_running_is_kept(home: Path, instance: dg.DagsterInstance) -> None:
    run = killed_run(home, instance, f"{COMMAND_TAG}=1")
    log = job_log(home.parent, "endless")
    log.parent.mkdir()
    with log.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert end_interrupted_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
    assert end_interrupted_runs(instance) == [run.run_id]
