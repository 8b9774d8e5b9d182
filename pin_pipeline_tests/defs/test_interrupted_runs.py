"""Runs that were killed together with all processes of Dagster, and runs that a user terminates."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.defs.interrupted_runs import end_interrupted_runs
from pin_pipeline.defs.retries import RetryUnlessInterrupted
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


@contextmanager
def running(
    home: Path, instance: dg.DagsterInstance, *tags: str
) -> Iterator[tuple[subprocess.Popen[str], dg.DagsterRun]]:
    """Start a run, and yield its process."""
    before = {run.run_id for run in instance.get_runs()}
    command = [sys.executable, "-m", "pin_pipeline_tests.defs.endless_job", *tags]
    environment = child_environment({"DAGSTER_HOME": str(home)})
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        [run] = [run for run in instance.get_runs() if run.run_id not in before]
        yield process, run


def killed_run(home: Path, instance: dg.DagsterInstance, *tags: str) -> dg.DagsterRun:
    """Start a run, kill its process, and return it."""
    with running(home, instance, *tags) as (process, run):
        process.kill()
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
    events = [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
    assert dg.DagsterEventType.STEP_START in events
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


def test_terminated_run_is_canceled_and_not_retried(home: Path, instance: dg.DagsterInstance) -> None:
    with running(home, instance) as (process, run):
        instance.report_run_canceling(run)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
    assert output == ""
    assert status(instance, run) is dg.DagsterRunStatus.CANCELED


def test_every_retry_policy_of_the_definitions_respects_interrupts(clean_environment: None) -> None:  # noqa: ARG001
    from pin_pipeline.definitions import defs  # noqa: PLC0415 - reads environment variables at import

    ops = [node.definition for node in defs.resolve_job_def("daily_batch").nodes]
    policies = [op.retry_policy for op in ops if isinstance(op, dg.OpDefinition) and op.retry_policy]
    assert len(policies) > 5
    assert {type(policy) for policy in policies} == {RetryUnlessInterrupted}
