"""Streaming jobs as continuous jobs on Databricks: deployment, start, status, stop and supervision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from typer.testing import CliRunner

from pin_pipeline.cli import app
from pin_pipeline.databricks.deploy import PASSED_ON, Action, Change, deploy_jobs, job_variables
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.defs.resources.databricks import DatabricksStreamingJobsResource
from pin_pipeline.local.postgres import create_database
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import SettingError, Settings, set_variables
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.job import HEARTBEAT_SECONDS
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats
from pin_pipeline_tests.databricks.conftest import TOKEN, workspace_resources
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.databricks.local_clusters import MULTI_PROCESS_CONF, LocalClusters
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.streaming.conftest import KinesisProducer
from pin_pipeline_tests.streaming.supervision.supervisor import Supervisor

DELTA, POSTGRES = STREAMING_JOBS
START_SECONDS, PROCESSING_SECONDS = 60, 300
POSTGRES_TABLES = ("experimental_data", "experimental_data_quarantine", "profile_popularity", "category_trends")
CLOCK_COLUMNS = {"first_seen", "written_at"}
"""Columns that differ between two runs."""
PASSWORD = "the password of Postgres"  # noqa: S105 - the test searches for it


@pytest.fixture
def clusters(isolated: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> LocalClusters:
    """Provide clusters with the secrets of the jobs; the parameter of the fixture is additional Spark settings."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return LocalClusters(
        folder, isolated, {"pin-pipeline/postgres-url": isolated.postgres_url}, getattr(request, "param", {})
    )


@pytest.fixture
def resource(
    isolated: Settings,
    workspace: Workspace,  # noqa: ARG001 - found by environment variables
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DatabricksStreamingJobsResource]:
    """Provide the resource of the streaming jobs."""
    for name in set(PASSED_ON) & isolated.variables().keys():
        monkeypatch.setenv(name, isolated.variables()[name])
    monkeypatch.setenv("PIN_CATALOG", "spark_catalog")
    with dg.build_resources(workspace_resources(isolated)) as resources:
        yield resources.streaming_jobs


def deploy(resource: DatabricksStreamingJobsResource, *, dry_run: bool = False) -> list[Change]:
    variables = job_variables(set_variables(PASSED_ON), "pin-pipeline")
    return list(deploy_jobs(resource.jobs(), resource.databricks.clusters(), variables, dry_run=dry_run))


def test_dry_run_shows_the_jobs_and_creates_none(
    resource: DatabricksStreamingJobsResource, workspace: Workspace
) -> None:
    changes = deploy(resource, dry_run=True)
    assert [change.action for change in changes] == [Action.CREATE, Action.CREATE]
    assert any('"entry_point": "pin-pipeline-stream"' in line for line in changes[0].diff)
    assert not workspace.jobs


def test_deploy_creates_paused_jobs_and_changes_nothing_the_second_time(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    isolated: Settings,
) -> None:
    assert [change.title for change in deploy(resource)] == [f"{isolated.prefix}-{name}" for name in STREAMING_JOBS]
    before = dict(workspace.jobs)
    assert [settings["continuous"] for settings in before.values()] == [{"pause_status": "PAUSED"}] * 2
    assert not workspace.runs
    assert [(change.action, change.diff) for change in deploy(resource)] == [(Action.KEEP, ())] * 2
    assert workspace.jobs == before


def test_deploy_updates_changed_jobs_and_keeps_their_runs(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deploy(resource)
    assert resource.jobs().start(DELTA)
    running = workspace.started.get(timeout=START_SECONDS)
    monkeypatch.setenv("PIN_SHARE_ONE_STREAM", "1")
    job = workspace.jobs[running.job_id or 0]
    job["tasks"][0]["new_cluster"]["spark_conf"]["spark.by.hand"] = "1"
    for dry_run in (True, False):
        delta, postgres = deploy(resource, dry_run=dry_run)
        assert (delta.action, postgres.action) == (Action.CHANGE, Action.CHANGE)
        changed = {line.strip() for line in delta.diff if line[0] in "+-" and line[1] not in "+-"}
        assert any("PIN_SHARE_ONE_STREAM" in line and line.startswith("+") for line in changed)
        assert any("spark.by.hand" in line and line.startswith("-") for line in changed)
    assert {change.action for change in deploy(resource)} == {Action.KEEP}
    assert not running.ended.is_set()
    assert not running.cancelled


def test_deploy_neither_stores_nor_prints_secrets(
    resource: DatabricksStreamingJobsResource, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_POSTGRES_URL", f"postgresql://pin:{PASSWORD}@db/pins")
    result = CliRunner().invoke(app.app, ["deploy"])
    assert result.exit_code == 0
    assert "{{secrets/pin-pipeline/postgres-url}}" in result.output
    for text in (result.output, str(workspace.jobs), str(deploy(resource))):
        assert TOKEN not in text
        assert PASSWORD not in text


@pytest.mark.usefixtures("workspace")
def test_deploy_names_a_missing_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIN_DATABRICKS_WHEEL")
    result = CliRunner().invoke(app.app, ["deploy"])
    assert isinstance(result.exception, SettingError)
    assert str(result.exception).startswith("PIN_DATABRICKS_WHEEL is not set: expected a value (Wheel to install on")


def test_job_that_is_not_deployed_asks_for_a_deployment(
    resource: DatabricksStreamingJobsResource,
    isolated: Settings,
) -> None:
    for method in (resource.jobs().start, resource.jobs().stop, resource.jobs().status):
        with pytest.raises(
            WorkspaceError, match=f"job {isolated.prefix}-{DELTA} does not exist at http.*: run `pin-pipeline deploy`"
        ):
            method(DELTA)


def test_job_starts_once_restarts_after_a_crash_and_stops_once(
    resource: DatabricksStreamingJobsResource, workspace: Workspace
) -> None:
    jobs = resource.jobs()
    deploy(resource)
    assert jobs.status(DELTA).since is None
    before = datetime.now(UTC)
    assert [jobs.start(DELTA), jobs.start(DELTA)] == [True, False]
    first = workspace.started.get(timeout=START_SECONDS)
    status = jobs.status(DELTA)
    assert status.since
    assert before.replace(microsecond=0) <= status.since <= datetime.now(UTC)
    assert status.log.endswith(f"#job/run/{first.run_id}")
    assert first.process
    first.process.popen.kill()
    second = workspace.started.get(timeout=START_SECONDS)
    assert second.job_id == first.job_id
    assert [jobs.stop(DELTA), jobs.stop(DELTA)] == [True, False]
    assert second.ended.wait(START_SECONDS)
    assert jobs.status(DELTA).since is None
    assert jobs.status(POSTGRES).since is None


@dataclass
class DatabricksSupervisor(Supervisor):
    """Supervisor of the jobs of a workspace."""

    resource: DatabricksStreamingJobsResource

    def streaming_jobs(self) -> DatabricksStreamingJobsResource:
        return self.resource


def rows_of(settings: Settings, key: str) -> list[str]:
    """Return the rows of a Delta table, given by its key, or of a Postgres table, given by its name."""
    if "/" in key:
        rows = Lake.of(settings).require(key).query("select * from t").to_pylist()
    else:
        with psycopg.connect(settings.postgres_url, row_factory=dict_row) as connection:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(key))).fetchall()
    return sorted(str({name: row[name] for name in row if name not in CLOCK_COLUMNS}) for row in rows)


@pytest.mark.parametrize("clusters", [MULTI_PROCESS_CONF], indirect=True)
def test_supervised_streams_on_multi_process_clusters_produce_the_local_tables(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    isolated: Settings,
    kinesis: KinesisProducer,
    catch_up: Callable[..., None],
    tmp_path: Path,
) -> None:
    records = {"pin": pin, "geo": geo, "user": user}
    for record_type, row in records.items():
        kinesis.post(isolated.stream(record_type), "1", *(row(number) for number in range(20)), b"no json")
    produce(isolated, "pin", [*(pin(number) for number in range(20)), b"no json"])
    deploy(resource)
    heartbeats = Heartbeats.of(isolated)

    def processed(job: str) -> int:
        heartbeat = heartbeats.read(job)
        return sum(query.records for query in heartbeat.queries.values()) if heartbeat else 0

    def all_processed() -> bool:
        for run in workspace.runs.values():
            assert not run.ended.is_set(), run.process.output() if run.process else run.state
        return (processed(DELTA), processed(POSTGRES)) == (3 * 21, 3 * 21)

    with dg.DagsterInstance.ephemeral() as instance:
        supervisor = DatabricksSupervisor(isolated, instance, resource)
        supervisor.tick()
        assert [run.job_id for run in workspace.runs.values()] == [*workspace.jobs], "each job was started once"
        wait_until(all_processed, PROCESSING_SECONDS, poll_seconds=HEARTBEAT_SECONDS / 2)
        events = supervisor.tick()
        advanced = {event.asset_key.to_user_string() for event in events if isinstance(event, dg.AssetMaterialization)}
        assert advanced == {key for job in STREAMING_JOBS.values() for key in job.tables}
        assert supervisor.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
        supervisor.stop()
        supervisor.tick()
        assert supervisor.checks()["running"] == (False, "stopped")
    for run in workspace.runs.values():
        assert run.ended.wait(START_SECONDS)
    database = make_conninfo(isolated.postgres_url, dbname=f"{isolated.prefix}_local")
    create_database(database)
    local = isolated.model_copy(
        update={
            "bucket": f"{isolated.bucket}-local",
            "checkpoints": (tmp_path / "local").as_uri(),
            "postgres_url": database,
        }
    )
    heartbeats.client.create_bucket(Bucket=local.bucket)
    for job in STREAMING_JOBS:
        catch_up(job, local)
    delta_tables = [
        f"{folder}/{record_type}" for folder in ("streams", "quarantine/streams") for record_type in RECORD_TYPES
    ]
    for key in (*delta_tables, *POSTGRES_TABLES):
        assert rows_of(isolated, key) == rows_of(local, key), key
        assert rows_of(isolated, key), key
