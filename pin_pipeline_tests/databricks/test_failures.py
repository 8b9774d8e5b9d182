"""Failures of batch runs on Databricks, and the error messages that a user gets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pyarrow as pa
import pytest

from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.databricks.run_reports import LINK
from pin_pipeline.databricks.runs import batch_run
from pin_pipeline.defs.resources.databricks import DatabricksResource
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.databricks.conftest import PRINCIPAL, TOKEN, Resources, materialize, workspace_resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.helpers.rows import geo

STARTED_WITHIN_SECONDS = 60


def failure(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> tuple[str, dict[str, str]]:
    """Return the error of the failed step and its metadata; asserts that no event of the run contains the token."""
    assert TOKEN not in str(instance.all_logs(result.run_id))
    [event] = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.error
    metadata = data.user_failure_data.metadata if data.user_failure_data else {}
    return data.error.to_string(), {name: str(value.value) for name, value in metadata.items()}


@pytest.fixture
def databricks(settings: Settings, workspace: Workspace) -> Iterator[DatabricksResource]:  # noqa: ARG001 - used for its side effect
    """The workspace as a resource."""
    with dg.build_resources(workspace_resources(settings)) as resources:
        yield resources.batch.databricks


@pytest.fixture(autouse=True)
def no_wait_for_pipes_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the messages of a run that never sent any."""
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


def test_failed_run_reports_the_remote_error_and_the_tables_finished_before(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    foreign = pa.table({"ind": pa.array([1], pa.int32())})  # a table that the pipeline did not create
    Lake.of(settings).overwrite("cleaned/geo", foreign)
    result = materialize(remote, instance, "cleaned/geo", "cleaned/pin")
    message, metadata = failure(result, instance)
    assert "UnknownProgressError: the log of s3://" in message
    assert "has no commit of this pipeline, so its progress is unknown" in message
    retry = list(workspace.runs)[-1]
    assert f"Databricks run {retry} failed: " in message
    assert metadata[LINK].endswith(f"#job/run/{retry}")
    assert "last_commit" in metadata["trace"]
    assert len(workspace.runs) == 2, "the step was retried once"
    finished = {
        event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key
    }
    assert finished == {"cleaned/pin"}


def test_cancelled_run_fails_the_step_without_a_retry(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    put(settings, "geo", [geo(1)])
    with ThreadPoolExecutor() as executor:
        cancelled = executor.submit(lambda: workspace.started.get(timeout=STARTED_WITHIN_SECONDS).cancel())
        result = materialize(remote, instance, "cleaned/geo")
        cancelled.result()
    message, _ = failure(result, instance)
    [run] = workspace.runs.values()
    assert f"Databricks run {run.run_id} was cancelled: Run cancelled.; see http" in message
    assert Lake.of(settings).snapshot("cleaned/geo") is None


def test_interrupted_step_cancels_its_run(workspace: Workspace, databricks: DatabricksResource) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        batch_run(databricks.workspace(5), databricks.clusters(), "a-bucket", "a", {}),
    ):
        raise KeyboardInterrupt
    [run] = workspace.runs.values()
    assert run.ended.wait(STARTED_WITHIN_SECONDS)
    assert run.state["result_state"] == "CANCELED"


def test_run_submitted_twice_starts_once(workspace: Workspace, databricks: DatabricksResource) -> None:
    for _ in range(2):
        with batch_run(databricks.workspace(5), databricks.clusters(), "a-bucket", "the same", {}) as run:
            run.cancel()
    assert len(workspace.runs) == 1


def test_cluster_that_does_not_start_reports_the_message_of_databricks(
    remote: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_DATABRICKS_INSTANCE_PROFILE", "arn:aws:iam::123456789012:instance-profile/nobody")
    message, metadata = failure(materialize(remote, instance, "cleaned/geo"), instance)
    assert (
        " failed: Cluster could not be launched: the instance profile is not known to this workspace.; see" in message
    )
    assert metadata["trace"] == ""


def test_missing_wheel_reports_its_path(
    settings: Settings, remote: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_DATABRICKS_WHEEL", f"s3://{settings.bucket}/nowhere.whl")
    message, _ = failure(materialize(remote, instance, "cleaned/geo"), instance)
    assert f"Library installation failed for library s3://{settings.bucket}/nowhere.whl" in message


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"DATABRICKS_TOKEN": "dapi-expired"},
            "the credentials were refused (Invalid access token.); check DATABRICKS_",
        ),
        (
            {"DATABRICKS_CLIENT_ID": PRINCIPAL[0], "DATABRICKS_CLIENT_SECRET": "dose-expired"},
            "the credentials were refused (invalid_client: Client authentication failed); check DATABRICKS_",
        ),
        ({"DATABRICKS_HOST": "http://127.0.0.1:9"}, "it did not respond"),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_refused_or_unreachable_workspace_reports_what_to_check(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    if "DATABRICKS_CLIENT_ID" in variables:
        monkeypatch.delenv("DATABRICKS_TOKEN")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with dg.build_resources(workspace_resources(settings)) as resources:
        client, clusters = resources.batch.databricks.workspace(1), resources.batch.databricks.clusters()
        with pytest.raises(WorkspaceError) as raised, batch_run(client, clusters, "a-bucket", "a name", {}):
            pytest.fail("the run was submitted")
    message = str(raised.value)
    assert message.startswith(f"could not submit 'a name' at {os.environ['DATABRICKS_HOST']}: {reason}")
    assert "expired" not in message


def test_service_principal_logs_in_with_client_id_and_secret(
    settings: Settings, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_TOKEN")
    for name, value in zip(("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"), PRINCIPAL, strict=True):
        monkeypatch.setenv(name, value)
    with dg.build_resources(workspace_resources(settings)) as resources:
        databricks = resources.batch.databricks
        with batch_run(databricks.workspace(5), databricks.clusters(), "a-bucket", "a", {}) as run:
            run.cancel()
    assert list(workspace.runs) == [run.id]


@pytest.mark.parametrize(
    "variable", ["DATABRICKS_TOKEN", "DATABRICKS_HOST", "PIN_DATABRICKS_WHEEL", "PIN_PIPES_BUCKET"]
)
@pytest.mark.usefixtures("workspace")
def test_missing_variable_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)
    with (
        pytest.raises(dg.DagsterInvalidConfigError, match=f'variable "{variable}" which is not set'),
        dg.build_resources(workspace_resources(settings)),
    ):
        pytest.fail("the resources were created")
