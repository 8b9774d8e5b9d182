"""Batch runs on Databricks that go wrong, and the words by which a person learns of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pyarrow as pa
import pytest

from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.databricks.runs import batch_run
from pin_pipeline.defs.resources.databricks import LINK, DatabricksResource, databricks_resources
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put
from pin_pipeline_tests.databricks.conftest import PRINCIPAL, TOKEN, Resources, materialize
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.helpers.rows import geo

STARTED_WITHIN_SECONDS = 60


def failure(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> tuple[str, dict[str, str]]:
    """The error of the one step that failed, and its metadata; the token is in nothing that is kept of the run."""
    assert TOKEN not in str(instance.all_logs(result.run_id))
    [event] = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.error
    metadata = data.user_failure_data.metadata if data.user_failure_data else {}
    return data.error.to_string(), {name: str(value.value) for name, value in metadata.items()}


@pytest.fixture
def databricks(settings: Settings, workspace: Workspace) -> Iterator[DatabricksResource]:  # noqa: ARG001 - it is there
    """The workspace as the resources have it."""
    with dg.build_resources(databricks_resources(settings)) as resources:
        yield resources.spark.databricks


@pytest.fixture(autouse=True)
def no_messages_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that never said anything is not waited for; that is all that Pipes waits for here."""
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)


def test_what_fails_on_the_cluster_is_told_with_its_error_and_what_was_done_before_is_reported(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    Lake.of(settings).write("cleaned/geo", pa.table({"ind": [1]}))  # somebody else's table
    result = materialize(settings, remote, instance, "cleaned/geo", "cleaned/pin")
    message, metadata = failure(result, instance)
    assert "ValueError: none of the last 100 commits of" in message
    assert "was made by this pipeline" in message
    again = list(workspace.runs)[-1]
    assert f"Databricks run {again} failed: " in message
    assert metadata[LINK].endswith(f"#job/run/{again}")
    assert "last_commit" in metadata["trace"]
    assert len(workspace.runs) == 2, "the step was tried once more"
    done = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert done == {"cleaned/pin"}


def test_a_run_that_is_cancelled_on_databricks_is_a_failed_step_that_is_not_tried_again(
    settings: Settings, workspace: Workspace, remote: Resources, instance: dg.DagsterInstance
) -> None:
    put(settings, "geo", [geo(1)])
    with ThreadPoolExecutor() as somebody:
        cancelled = somebody.submit(lambda: workspace.started.get(timeout=STARTED_WITHIN_SECONDS).cancel())
        result = materialize(settings, remote, instance, "cleaned/geo")
        cancelled.result()
    message, _ = failure(result, instance)
    [run] = workspace.runs.values()
    assert f"Databricks run {run.run_id} was cancelled: Run cancelled.; see http" in message
    assert Lake.of(settings).snapshot("cleaned/geo") is None


def test_a_step_that_is_interrupted_leaves_no_run_behind(workspace: Workspace, databricks: DatabricksResource) -> None:
    with pytest.raises(KeyboardInterrupt), batch_run(databricks.workspace(5), databricks.clusters(), "a", {}):
        raise KeyboardInterrupt
    [run] = workspace.runs.values()
    assert run.ended.wait(STARTED_WITHIN_SECONDS)
    assert run.state["result_state"] == "CANCELED"


def test_a_run_that_is_submitted_twice_is_one_run(workspace: Workspace, databricks: DatabricksResource) -> None:
    for _ in range(2):
        with batch_run(databricks.workspace(5), databricks.clusters(), "the same", {}) as run:
            run.cancel()
    assert len(workspace.runs) == 1


def test_a_cluster_that_does_not_start_is_told_in_the_words_of_databricks(
    settings: Settings, remote: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_DATABRICKS_INSTANCE_PROFILE", "arn:aws:iam::123456789012:instance-profile/nobody")
    message, metadata = failure(materialize(settings, remote, instance, "cleaned/geo"), instance)
    assert (
        " failed: Cluster could not be launched: the instance profile is not known to this workspace.; see" in message
    )
    assert metadata["trace"] == ""


def test_a_wheel_that_is_not_there_is_told_with_its_place(
    settings: Settings, remote: Resources, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_DATABRICKS_WHEEL", f"s3://{settings.bucket}/nowhere.whl")
    message, _ = failure(materialize(settings, remote, instance, "cleaned/geo"), instance)
    assert f"Library installation failed for library s3://{settings.bucket}/nowhere.whl" in message


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"DATABRICKS_TOKEN": "dapi-expired"},
            "the credentials were refused (Invalid access token.); check DATABRICKS_",
        ),
        (
            {"DATABRICKS_CLIENT_ID": PRINCIPAL[0], "DATABRICKS_CLIENT_SECRET": "dose-expired"},
            "the credentials were refused (invalid_client: Client authentication failed); check DATABRICKS_",
        ),
        ({"DATABRICKS_HOST": "http://127.0.0.1:9"}, "it does not answer"),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_a_workspace_that_refuses_or_does_not_answer_is_told_with_what_to_check(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    if "DATABRICKS_CLIENT_ID" in variables:
        monkeypatch.delenv("DATABRICKS_TOKEN")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with dg.build_resources(databricks_resources(settings)) as resources:
        client, clusters = resources.spark.databricks.workspace(1), resources.spark.databricks.clusters()
        with pytest.raises(WorkspaceError) as told, batch_run(client, clusters, "a name", {}):
            pytest.fail("it was submitted")
    message = str(told.value)
    assert message.startswith(f"could not submit 'a name' at {os.environ['DATABRICKS_HOST']}: {said}")
    assert "expired" not in message


def test_a_service_principal_is_let_in_by_its_client_id_and_secret(
    settings: Settings, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_TOKEN")
    for name, value in zip(("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"), PRINCIPAL, strict=True):
        monkeypatch.setenv(name, value)
    with dg.build_resources(databricks_resources(settings)) as resources:
        databricks = resources.spark.databricks
        with batch_run(databricks.workspace(5), databricks.clusters(), "a", {}) as run:
            run.cancel()
    assert list(workspace.runs) == [run.id]


@pytest.mark.parametrize(
    "variable", ["DATABRICKS_TOKEN", "DATABRICKS_HOST", "PIN_DATABRICKS_WHEEL", "PIN_PIPES_BUCKET"]
)
@pytest.mark.usefixtures("workspace")
def test_a_variable_that_is_missing_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    with (
        pytest.raises(dg.DagsterInvalidConfigError, match=f'variable "{variable}" which is not set'),
        dg.build_resources(databricks_resources(settings)),
    ):
        pytest.fail("it was found")
