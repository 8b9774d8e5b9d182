"""Databricks: where Spark works on AWS."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
from dagster_databricks import DatabricksClientResource
from dagster_databricks.resources import OauthCredentials
from databricks.sdk import WorkspaceClient
from pydantic import Field

from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.databricks.assignment import ASSIGNMENT, ASSIGNMENTS, REPORTS, Assignment
from pin_pipeline.databricks.clusters import Clusters
from pin_pipeline.databricks.deploy import Change, deploy, variables
from pin_pipeline.databricks.runs import RemoteRun, RunFailedError, batch_run
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.databricks.workspace import asking
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.spark import SparkResource
from pin_pipeline.defs.resources.streaming_jobs import StreamingJobsResource
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings

REQUEST_SECONDS = 10
# Of a report's metadata.
LINK = "databricks_run"
# What has a default, and the variables that say otherwise.
CLUSTER = {"spark_version": "PIN_DATABRICKS_RUNTIME", "node_type": "PIN_DATABRICKS_NODE_TYPE"}
SCOPE = {"secret_scope": "PIN_DATABRICKS_SECRET_SCOPE"}


class DatabricksResource(dg.ConfigurableResource["DatabricksResource"]):
    """The Databricks workspace, and what the clusters are like that it starts for the pipeline."""

    client: dg.ResourceDependency[DatabricksClientResource]
    wheel: str = Field(description="The project's wheel, s3://... or /Volumes/...; it is installed on the clusters.")
    instance_profile: str = Field(description="ARN of the instance profile of the machines, which reaches the lake.")
    spark_version: str = Field(default="18.2.x-scala2.13", description="Databricks Runtime, of Spark 4.1 or newer.")
    node_type: str = Field(default="m6gd.large", description="EC2 type of the machines.")
    most_workers: int = Field(default=4, ge=1, description="A batch run begins with one worker and gets up to so many.")
    streaming_workers: int = Field(default=1, ge=1, description="A streaming job has so many workers all the time.")
    catalog: str | None = Field(default=None, description="Catalog of Unity Catalog in which the tables get names.")

    def workspace(self, patience_seconds: int) -> WorkspaceClient:
        """A client that asks again, where Databricks does not answer, for so long."""
        with asking(self.client.host or "", "log in"):
            config = self.client.get_client().workspace_client.config
        config.http_timeout_seconds = REQUEST_SECONDS
        config.retry_timeout_seconds = patience_seconds
        return WorkspaceClient(config=config)

    def clusters(self) -> Clusters:
        """The clusters."""
        return Clusters(
            self.wheel,
            self.spark_version,
            self.node_type,
            self.instance_profile,
            self.most_workers,
            self.streaming_workers,
        )


class DatabricksSparkResource(SparkResource):
    """Spark on Databricks: each step's work is one run, on a cluster of its own, which reports by Pipes over S3.

    A loop of its own in place of `PipesDatabricksClient`: that one tells a failure without the remote error, yields
    nothing of what was done before it, and leaves the run going on where the step is interrupted.
    """

    databricks: dg.ResourceDependency[DatabricksResource]
    pipes_bucket: str = Field(description="Bucket that Pipes leaves its messages in; a lifecycle rule empties it.")
    poll_seconds: float = Field(default=5.0, gt=0, description="How long to wait before the run is looked at again.")
    patience_seconds: int = Field(default=300, description="How long Databricks may not answer before the step fails.")

    def run(self, context: dg.AssetExecutionContext, work: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Do the work on the lake, and report of each table as soon as it is known to be done."""
        tables, s3 = lake.tables(), lake.s3.get_client()
        assignment = Assignment(work, tables.bucket, tables.endpoint_url, tables.region, self.databricks.catalog)
        step = context.op_execution_context
        name = f"{context.run.run_id} {step.op_handle} {step.retry_number}"
        with (
            dg.open_pipes_session(
                context,
                PipesS3ContextInjector(bucket=self.pipes_bucket, client=s3),
                PipesS3MessageReader(bucket=self.pipes_bucket, client=s3, interval=self.poll_seconds),
                extras={ASSIGNMENT: ASSIGNMENTS.dump_python(assignment, mode="json")},
            ) as session,
            batch_run(
                self.databricks.workspace(self.patience_seconds),
                self.databricks.clusters(),
                name,
                session.get_bootstrap_cli_arguments(),
            ) as run,
        ):
            context.log.info("Databricks run %s: %s", run.id, run.url)
            reports = _RunReports(session, run)
            while run.is_active():
                time.sleep(self.poll_seconds)
                yield from reports.new()
        yield from reports.new()
        try:
            run.raise_for_failure()
        except RunFailedError as error:
            metadata = {LINK: dg.MetadataValue.url(error.url), "trace": dg.MetadataValue.text(error.trace)}
            raise dg.Failure(str(error), metadata=metadata, allow_retries=not error.cancelled) from error


class DatabricksStreamingJobsResource(StreamingJobsResource):
    """The streaming jobs as continuous jobs on Databricks, which `pin-pipeline deploy` makes."""

    databricks: dg.ResourceDependency[DatabricksResource]
    prefix: str = Field(description="What the names of the jobs begin with.")
    secret_scope: str = Field(
        default="pin-pipeline", description="Scope of Databricks secrets that holds `postgres-url`."
    )
    patience_seconds: int = Field(default=20, description="How long Databricks may not answer before a tick fails.")

    def jobs(self) -> DatabricksStreamingJobs:
        """The streaming jobs."""
        return DatabricksStreamingJobs(self.databricks.workspace(self.patience_seconds), self.prefix)

    def deploy(self, *, dry_run: bool) -> Iterator[Change]:
        """Bring the jobs to what the project says, or only say what differs."""
        found = variables(os.environ, self.secret_scope)
        return deploy(self.jobs(), self.databricks.clusters(), found, dry_run=dry_run)


class _RunReports:
    """What a run has sent so far; it stays in the session, so it is counted what was taken."""

    def __init__(self, session: dg.PipesSession, run: RemoteRun) -> None:
        self._session, self._run, self._taken = session, run, 0

    def new(self) -> Iterator[Report]:
        """What came since the last time, with a link to the run."""
        for message in self._session.get_custom_messages()[self._taken :]:
            self._taken += 1
            report = REPORTS.validate_python(message)
            yield replace(report, metadata={**report.metadata, LINK: f"[{self._run.id}]({self._run.url})"})


def databricks_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """Spark and the streaming jobs on Databricks, as the environment variables say; the keys are the graph's."""
    databricks = DatabricksResource(
        client=DatabricksClientResource(host=dg.EnvVar("DATABRICKS_HOST"), **_credentials()),
        wheel=dg.EnvVar("PIN_DATABRICKS_WHEEL"),
        instance_profile=dg.EnvVar("PIN_DATABRICKS_INSTANCE_PROFILE"),
        catalog=settings.catalog,
        **_optional(CLUSTER),
    )
    return {
        "spark": DatabricksSparkResource(databricks=databricks, pipes_bucket=dg.EnvVar("PIN_PIPES_BUCKET")),
        "streaming_jobs": DatabricksStreamingJobsResource(
            databricks=databricks, prefix=dg.EnvVar("PIN_PREFIX"), **_optional(SCOPE)
        ),
    }


def _optional(variables: Mapping[str, str]) -> dict[str, Any]:
    return {field: dg.EnvVar(name) for field, name in variables.items() if name in os.environ}


def _credentials() -> dict[str, Any]:
    """A service principal's, where there is one, else a token."""
    if "DATABRICKS_CLIENT_ID" in os.environ:
        secret = dg.EnvVar("DATABRICKS_CLIENT_SECRET")
        return {
            "oauth_credentials": OauthCredentials(client_id=dg.EnvVar("DATABRICKS_CLIENT_ID"), client_secret=secret)
        }
    return {"token": dg.EnvVar("DATABRICKS_TOKEN")}
