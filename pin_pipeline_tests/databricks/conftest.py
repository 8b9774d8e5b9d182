"""Fixtures: a fake Databricks workspace per test, the project's wheel, and resources that use the workspace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

import pin_pipeline
from pin_pipeline.defs.assets.cleaned import cleaned
from pin_pipeline.defs.assets.queries import queries
from pin_pipeline.defs.resources.databricks import DatabricksBatchResource, databricks_resources
from pin_pipeline.defs.resources.interfaces import LakeResource, PostgresResource
from pin_pipeline.defs.resources.local import LocalBatchResource, PlaintextKafka
from pin_pipeline.local import s3
from pin_pipeline.settings import BatchEngineName, Settings
from pin_pipeline_tests.databricks.control_plane import Workspace, create_app
from pin_pipeline_tests.databricks.local_clusters import INSTANCE_PROFILE, LocalClusters
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.streaming.conftest import catch_up, isolated, kinesis

__all__ = ["catch_up", "isolated", "kinesis"]  # fixtures that tests of this folder use

TOKEN = "dapi0123456789abcdef"  # noqa: S105 - token of the fake workspace
PRINCIPAL = ("0b7e2c1a-principal", "dose0123456789")
BUILD = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
POLL_SECONDS = 0.2
Resources = dict[str, Any]
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sources of the project."""
    project, sources = Path(pin_pipeline.__file__).parent.parent, tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(project / name, sources)
    shutil.copytree(project / "pin_pipeline", sources / "pin_pipeline")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, *BUILD, "--wheel-dir", str(folder), str(sources)], check=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture
def clusters(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> LocalClusters:
    """Provide clusters; the parameter of the fixture is additional Spark settings."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return LocalClusters(folder, settings, conf=getattr(request, "param", {}))


@pytest.fixture
def workspace(
    settings: Settings, clusters: LocalClusters, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """Start a workspace, and set the environment variables with which it is found."""
    s3.create_bucket(settings.s3_endpoint_url, f"{settings.bucket}-pipes")
    boto3.client("s3", endpoint_url=settings.s3_endpoint_url).upload_file(str(wheel), settings.bucket, wheel.name)
    monkeypatch.setenv("PIN_DATABRICKS_WHEEL", f"s3://{settings.bucket}/{wheel.name}")
    monkeypatch.setenv("PIN_DATABRICKS_INSTANCE_PROFILE", INSTANCE_PROFILE)
    monkeypatch.setenv("PIN_PIPES_BUCKET", f"{settings.bucket}-pipes")
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    workspace = Workspace(clusters)
    with serving(create_app(workspace, TOKEN, PRINCIPAL)) as client:
        monkeypatch.setenv("DATABRICKS_HOST", str(client.base_url))
        try:
            yield workspace
        finally:
            workspace.close()


@pytest.fixture
def catalog() -> str | None:
    """The catalog in which tables are registered; tests override it by parametrization."""
    return None


@pytest.fixture
def remote(settings: Settings, workspace: Workspace, catalog: str | None) -> Resources:  # noqa: ARG001 - found by environment variables
    """Resources with Spark on Databricks."""
    return remote_resources(settings.model_copy(update={"catalog": catalog}))


def remote_resources(settings: Settings, engine: BatchEngineName = "spark") -> Resources:
    """Return resources with batch steps on Databricks, or with another engine in this process."""
    patient = workspace_resources(settings)["batch"]
    assert isinstance(patient, DatabricksBatchResource)
    impatient = DatabricksBatchResource(
        engine=engine,
        max_embedded_bytes=settings.max_embedded_bytes,
        databricks=patient.databricks,
        postgres=patient.postgres,
        pipes_bucket=patient.pipes_bucket,
        poll_seconds=POLL_SECONDS,
        timeout_seconds=5,
    )
    return resources(settings) | {"batch": impatient}


def workspace_resources(settings: Settings) -> Resources:
    """Return the resources that use the workspace."""
    return databricks_resources(settings, PostgresResource(url=settings.postgres_url))


def resources(settings: Settings, engine: BatchEngineName = "spark") -> Resources:
    """Return resources with an engine in the process of the run."""
    s3_resource = S3Resource(endpoint_url=settings.s3_endpoint_url, region_name=settings.region)
    return {
        "kafka": PlaintextKafka(bootstrap_servers=settings.kafka.bootstrap, prefix=settings.prefix),
        "lake": LakeResource(s3=s3_resource, bucket=settings.bucket),
        "batch": LocalBatchResource(
            home=str(settings.home),
            s3_endpoint_url=settings.s3_endpoint_url,
            region=settings.region,
            engine=engine,
            max_embedded_bytes=0,
        ),
    }


def materialize(
    resources: Resources, instance: dg.DagsterInstance, *assets: str, **config: Any
) -> dg.ExecuteInProcessResult:
    """Materialize all cleaned tables and queries, or the given assets; a failure does not raise."""
    defs = dg.Definitions(assets=[cleaned, queries], resources=resources)
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey.from_user_string(key) for key in assets] or None,
        run_config={"ops": config} if config else None,
        raise_on_error=False,
    )


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance
