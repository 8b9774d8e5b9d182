"""The streaming jobs as continuous jobs: deployed, started, looked at and stopped, with real processes behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from pin_pipeline.databricks.deploy import Action, Change
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.defs.resources.databricks import DatabricksStreamingJobsResource, databricks_resources
from pin_pipeline.local.postgres import create_database
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats
from pin_pipeline_tests.databricks.conftest import TOKEN
from pin_pipeline_tests.databricks.control_plane import Workspace
from pin_pipeline_tests.databricks.machines import CLUSTER, Machines
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.streaming.conftest import Kinesis
from pin_pipeline_tests.streaming.supervision.programs import wait_until
from pin_pipeline_tests.streaming.supervision.supervisor import Supervisor

DELTA, POSTGRES = STREAMING_JOBS
STARTED_WITHIN_SECONDS, DONE_WITHIN_SECONDS = 60, 300
IN_POSTGRES = ("experimental_data", "experimental_data_quarantine", "profile_popularity", "category_trends")
# What no two runs have in common.
CLOCKS = {"first_seen", "written_at"}
PASSWORD = "the password of Postgres"  # noqa: S105 - planted


@pytest.fixture
def machines(here: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Machines:
    """What the workspace makes clusters of; the secrets are in it alone. Its parameter is further settings of Spark."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return Machines(folder, here, {"pin-pipeline/postgres-url": here.postgres_url}, getattr(request, "param", {}))


@pytest.fixture
def resource(
    here: Settings,
    workspace: Workspace,  # noqa: ARG001 - it is there, and found
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DatabricksStreamingJobsResource]:
    """The streaming jobs of the graph."""
    monkeypatch.setenv("PIN_PREFIX", here.prefix)
    monkeypatch.setenv("PIN_BUCKET", here.bucket)
    monkeypatch.setenv("PIN_CHECKPOINTS", here.checkpoints)
    monkeypatch.setenv("PIN_CATALOG", "spark_catalog")
    with dg.build_resources(databricks_resources(here)) as resources:
        yield resources.streaming_jobs


def deployed(resource: DatabricksStreamingJobsResource, *, dry_run: bool = False) -> list[Change]:
    return list(resource.deploy(dry_run=dry_run))


def test_a_dry_run_shows_the_jobs_and_makes_none(
    resource: DatabricksStreamingJobsResource, workspace: Workspace
) -> None:
    changes = deployed(resource, dry_run=True)
    assert [change.action for change in changes] == [Action.CREATE, Action.CREATE]
    assert any('"entry_point": "pin-pipeline-stream"' in line for line in changes[0].diff)
    assert not workspace.jobs


def test_what_is_deployed_is_paused_and_the_same_once_more_changes_nothing(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    here: Settings,
) -> None:
    assert [change.title for change in deployed(resource)] == [f"{here.prefix}-{name}" for name in STREAMING_JOBS]
    before = dict(workspace.jobs)
    assert [settings["continuous"] for settings in before.values()] == [{"pause_status": "PAUSED"}] * 2
    assert not workspace.runs
    assert [(change.action, change.diff) for change in deployed(resource)] == [(Action.KEEP, ())] * 2
    assert workspace.jobs == before


def test_what_differs_is_shown_and_changed_and_what_runs_goes_on(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployed(resource)
    assert resource.jobs().start(DELTA)
    running = workspace.started.get(timeout=STARTED_WITHIN_SECONDS)
    monkeypatch.setenv("PIN_SHARE_ONE_STREAM", "1")
    job = workspace.jobs[running.job_id or 0]
    job["tasks"][0]["new_cluster"]["spark_conf"]["spark.by.hand"] = "1"
    for dry_run in (True, False):
        delta, postgres = deployed(resource, dry_run=dry_run)
        assert (delta.action, postgres.action) == (Action.CHANGE, Action.CHANGE)
        changed = {line.strip() for line in delta.diff if line[0] in "+-" and line[1] not in "+-"}
        assert any("PIN_SHARE_ONE_STREAM" in line and line.startswith("+") for line in changed)
        assert any("spark.by.hand" in line and line.startswith("-") for line in changed)
    assert {change.action for change in deployed(resource)} == {Action.KEEP}
    assert not running.ended.is_set()
    assert not running.cancelled


def test_no_secret_is_in_a_job_or_in_what_is_shown(
    resource: DatabricksStreamingJobsResource, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_POSTGRES_URL", f"postgresql://pin:{PASSWORD}@db/pins")
    shown = CliRunner().invoke(app.app, ["deploy"])
    assert shown.exit_code == 0
    assert "{{secrets/pin-pipeline/postgres-url}}" in shown.output
    for text in (shown.output, str(workspace.jobs), str(deployed(resource))):
        assert TOKEN not in text
        assert PASSWORD not in text


@pytest.mark.usefixtures("workspace")
def test_deploying_without_a_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIN_DATABRICKS_WHEEL")
    shown = CliRunner().invoke(app.app, ["deploy"])
    assert isinstance(shown.exception, WorkspaceError)
    assert str(shown.exception) == "PIN_DATABRICKS_WHEEL must be set to deploy to Databricks; see docs/databricks.md"


def test_a_job_that_was_never_deployed_is_told_with_what_to_do(
    resource: DatabricksStreamingJobsResource,
    here: Settings,
) -> None:
    for ask in (resource.jobs().start, resource.jobs().stop, resource.jobs().status):
        with pytest.raises(WorkspaceError, match=f"no job {here.prefix}-{DELTA} at http.*run `pin-pipeline deploy`"):
            ask(DELTA)


def test_a_job_starts_once_comes_back_when_it_dies_and_stops_once(
    resource: DatabricksStreamingJobsResource, workspace: Workspace
) -> None:
    jobs = resource.jobs()
    deployed(resource)
    assert jobs.status(DELTA).since is None
    before = datetime.now(UTC)
    assert [jobs.start(DELTA), jobs.start(DELTA)] == [True, False]
    first = workspace.started.get(timeout=STARTED_WITHIN_SECONDS)
    status = jobs.status(DELTA)
    assert status.since
    assert before.replace(microsecond=0) <= status.since <= datetime.now(UTC)
    assert status.log.endswith(f"#job/run/{first.run_id}")
    assert first.process
    first.process.popen.kill()
    second = workspace.started.get(timeout=STARTED_WITHIN_SECONDS)
    assert second.job_id == first.job_id
    assert [jobs.stop(DELTA), jobs.stop(DELTA)] == [True, False]
    assert second.ended.wait(STARTED_WITHIN_SECONDS)
    assert jobs.status(DELTA).since is None
    assert jobs.status(POSTGRES).since is None


@dataclass
class OnDatabricks(Supervisor):
    """The supervisor of the jobs of a workspace."""

    resource: DatabricksStreamingJobsResource

    def streaming_jobs(self) -> DatabricksStreamingJobsResource:
        return self.resource


def rows_of(settings: Settings, key: str) -> list[str]:
    """The rows of a table of the lake or, by its name alone, of Postgres."""
    if "/" in key:
        found = Lake.of(settings).existing(key).query("select * from t").to_pylist()
    else:
        with psycopg.connect(settings.postgres_url, row_factory=dict_row) as connection:
            found = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(key))).fetchall()
    return sorted(str({name: row[name] for name in row if name not in CLOCKS}) for row in found)


@pytest.mark.parametrize("machines", [CLUSTER], indirect=True)
def test_streams_on_clusters_of_several_processes_are_supervised_and_give_the_tables_that_they_give_here(
    resource: DatabricksStreamingJobsResource,
    workspace: Workspace,
    here: Settings,
    kinesis: Kinesis,
    catch_up: Callable[..., None],
    tmp_path: Path,
) -> None:
    records = {"pin": pin, "geo": geo, "user": user}
    for record_type, row in records.items():
        kinesis.post(here.stream(record_type), "1", *(row(number) for number in range(20)), b"no json")
    produce(here, "pin", [*(pin(number) for number in range(20)), b"no json"])
    deployed(resource)
    heartbeats = Heartbeats.of(here)

    def processed(job: str) -> int:
        heartbeat = heartbeats.read(job)
        return sum(query.records for query in heartbeat.queries.values()) if heartbeat else 0

    def done() -> bool:
        for run in workspace.runs.values():
            assert not run.ended.is_set(), run.process.said() if run.process else run.state
        return (processed(DELTA), processed(POSTGRES)) == (3 * 21, 3 * 21)

    with dg.DagsterInstance.ephemeral() as instance:
        supervisor = OnDatabricks(here, instance, resource)
        supervisor.tick()
        assert [run.job_id for run in workspace.runs.values()] == [*workspace.jobs], "each was started, once"
        wait_until(done, DONE_WITHIN_SECONDS)
        news = supervisor.tick()
        advanced = {event.asset_key.to_user_string() for event in news if isinstance(event, dg.AssetMaterialization)}
        assert advanced == {key for job in STREAMING_JOBS.values() for key in job.tables}
        assert supervisor.checks() == {"running": (True, "alive"), "lag": (True, "up to date")}
        supervisor.stop()
        supervisor.tick()
        assert supervisor.checks()["running"] == (False, "stopped")
    for run in workspace.runs.values():
        assert run.ended.wait(STARTED_WITHIN_SECONDS)
    database = make_conninfo(here.postgres_url, dbname=f"{here.prefix}_here")
    create_database(database)
    local = replace(here, bucket=f"{here.bucket}-here", checkpoints=(tmp_path / "here").as_uri(), postgres_url=database)
    heartbeats.client.create_bucket(Bucket=local.bucket)
    for job in STREAMING_JOBS:
        catch_up(job, local)
    in_lake = [
        f"{folder}/{record_type}" for folder in ("streams", "quarantine/streams") for record_type in RECORD_TYPES
    ]
    for key in (*in_lake, *IN_POSTGRES):
        assert rows_of(here, key) == rows_of(local, key), key
        assert rows_of(here, key), key
