"""Engine of batch steps on AWS: the Dagster task for small steps, Databricks for large ones, one writer at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.settings import Settings, child_environment
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.databricks.conftest import materialize, remote_resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.waiting import wait_until

STARTED_WITHIN_SECONDS = 60
STEP = """
import dagster as dg
from pin_pipeline.settings import Settings
from pin_pipeline_tests.databricks.conftest import materialize, remote_resources
with dg.instance_for_test() as instance:
    materialize(remote_resources(Settings.load()), instance, "cleaned/geo")
"""
"""Program of a step on Databricks."""


def engines(result: dg.ExecuteInProcessResult) -> set[tuple[Any, Any]]:
    """Return the engine of each materialization of a run, and the reason of its choice."""
    assert result.success
    metadata = [event.materialization.metadata for event in result.get_asset_materialization_events()]
    return {(each["engine"].value, each["engine_reason"].value) for each in metadata}


def test_small_steps_and_steps_without_new_data_start_no_cluster(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    for record_type, row in {"pin": pin, "geo": geo, "user": user}.items():
        put(settings, record_type, [row(1), b"no json"])
    resources = remote_resources(settings, "auto")
    assert {engine for engine, _ in engines(materialize(resources, instance))} == {"embedded"}
    assert engines(materialize(resources, instance)) == {("embedded", "no new data")}
    assert workspace.runs == {}
    assert Lake.of(settings).require("quarantine/pin").rows == 1


@pytest.mark.usefixtures("spark")
def test_large_step_runs_on_databricks_and_names_its_size(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    put(settings, "geo", [geo(1)])
    resources = remote_resources(settings.model_copy(update={"max_embedded_bytes": 0}), "auto")
    [(engine, reason)] = engines(materialize(resources, instance, "cleaned/geo"))
    assert engine == "spark"
    assert "to read and rewrite, more than 0 MiB" in reason
    assert len(workspace.runs) == 1


def test_embedded_setting_needs_no_workspace(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:9")
    put(settings, "geo", [geo(1)])
    resources = remote_resources(settings, "embedded")
    assert engines(materialize(resources, instance, "cleaned/geo")) == {("embedded", "PIN_BATCH_ENGINE is embedded")}
    assert workspace.runs == {}


def test_step_waits_for_the_run_of_a_step_that_was_killed(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    put(settings, "geo", [geo(1), geo(2)])
    environment = child_environment(settings.variables())
    with subprocess.Popen([sys.executable, "-c", STEP], env=environment) as step:
        run = workspace.started.get(timeout=STARTED_WITHIN_SECONDS)
        assert run.process
        os.killpg(run.process.popen.pid, signal.SIGSTOP)  # the cluster is slow
        step.kill()
    while not workspace.listed.empty():
        workspace.listed.get()
    with ThreadPoolExecutor() as executor:
        result = executor.submit(materialize, remote_resources(settings, "auto"), instance, "cleaned/geo")
        for _ in range(2):
            workspace.listed.get(timeout=STARTED_WITHIN_SECONDS)
        assert Lake.of(settings).snapshot("cleaned/geo") is None, "the second step waits"
        os.killpg(run.process.popen.pid, signal.SIGCONT)
        assert engines(result.result()) == {("embedded", "no new data")}, "the run of the first step has done the work"
    assert run.state["result_state"] == "SUCCESS"
    table = Lake.of(settings).require("cleaned/geo")
    assert (table.rows, CleaningProgress.of(table).landed) == (2, 2)
    assert list(workspace.runs) == [run.run_id]


def test_steps_of_two_runs_write_one_after_the_other(
    settings: Settings, workspace: Workspace, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pin_pipeline")
    put(settings, "geo", [geo(1)])
    with ThreadPoolExecutor() as executor:
        with Postgres(settings.postgres_url).lock(f"batch steps on s3://{settings.bucket}"):
            result = executor.submit(materialize, remote_resources(settings, "auto"), instance, "cleaned/geo")
            wait_until(lambda: "waiting for it to end" in caplog.text, STARTED_WITHIN_SECONDS)
            assert Lake.of(settings).snapshot("cleaned/geo") is None
        assert result.result().success
    assert Lake.of(settings).require("cleaned/geo").rows == 1
    assert workspace.runs == {}
