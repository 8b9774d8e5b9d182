"""Databricks backends of the resources: batch runs and streaming jobs on clusters of a workspace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import dagster as dg
from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
from dagster_databricks import DatabricksClientResource
from dagster_databricks.resources import OauthCredentials
from databricks.sdk import WorkspaceClient
from pydantic import Field

from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.databricks.catalog import UnityCatalog
from pin_pipeline.databricks.clusters import Clusters
from pin_pipeline.databricks.run_parameters import PARAMETERS_KEY, RUN_PARAMETERS, RunParameters
from pin_pipeline.databricks.run_reports import LINK, RunReports
from pin_pipeline.databricks.runs import RunFailedError, batch_run, wait_for_active_runs
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.databricks.workspace import client_with_timeouts, translate_errors
from pin_pipeline.defs.resources.fixed import FixedResource
from pin_pipeline.defs.resources.interfaces import (
    BatchResource,
    LakeResource,
    PostgresResource,
    StreamingJobsResource,
)
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings, set_variables

OPTIONAL = {"spark_version": "PIN_DATABRICKS_RUNTIME", "node_type": "PIN_DATABRICKS_NODE_TYPE"}
"""Fields of `DatabricksResource` that have a default, and the environment variables that replace it."""


class DatabricksResource(FixedResource["DatabricksResource"]):
    """Databricks workspace, and the clusters that it creates for the pipeline."""

    client: dg.ResourceDependency[DatabricksClientResource]
    wheel: str = Field(description="Wheel of this project to install on the clusters: s3://... or /Volumes/...")
    instance_profile: str = Field(
        description="ARN of the instance profile of the cluster nodes, which must allow access to the lake."
    )
    spark_version: str = Field(default="18.2.x-scala2.13", description="Databricks Runtime, with Spark 4.1 or newer.")
    node_type: str = Field(default="m6gd.large", description="EC2 instance type of the cluster nodes.")
    max_workers: int = Field(
        default=4, ge=1, description="Maximum number of workers of a batch run, which starts with one and scales up."
    )
    streaming_workers: int = Field(default=1, ge=1, description="Fixed number of workers of a streaming job.")
    catalog: str | None = Field(
        default=None, description="Catalog of Unity Catalog in which the tables are registered; by default none."
    )

    def workspace(self, timeout_seconds: int) -> WorkspaceClient:
        """Log in and return a client that retries for this long when Databricks does not respond.

        Raises:
            WorkspaceError: the credentials are refused, or Databricks does not respond.
        """
        with translate_errors(self.client.host or "", "log in"):
            return client_with_timeouts(self.client.get_client().workspace_client.config, timeout_seconds)

    def clusters(self) -> Clusters:
        """Return the specification of the clusters."""
        return Clusters(
            self.wheel,
            self.spark_version,
            self.node_type,
            self.instance_profile,
            self.max_workers,
            self.streaming_workers,
        )


class DatabricksBatchResource(BatchResource):
    """Batch engines on AWS: the embedded one in the Dagster task for small steps, Spark on Databricks for large ones.

    A large step submits one run with its own cluster, which reports by Dagster Pipes over S3. `PipesDatabricksClient`
    is not used: it reports a failure without the remote error, yields no results of a run that failed, and does not
    cancel the run when the step is interrupted.
    """

    databricks: dg.ResourceDependency[DatabricksResource]
    postgres: dg.ResourceDependency[PostgresResource]
    pipes_bucket: str = Field(
        description="Bucket for the messages of Dagster Pipes, which a lifecycle rule of the bucket deletes."
    )
    poll_seconds: float = Field(default=5.0, gt=0, description="Seconds between two checks of the state of a run.")
    timeout_seconds: int = Field(
        default=300, description="Seconds for which Databricks may not respond before the step fails."
    )

    def run(self, context: dg.AssetExecutionContext, task: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Run a task and yield a report on each table soon after it is finished and registered in the catalog."""
        reports = super().run(context, task, lake)
        if not self.databricks.catalog:
            yield from reports
            return
        catalog = UnityCatalog(self._workspace, self.databricks.catalog)
        for report in reports:
            catalog.register(lake.tables(), report.key)
            yield report

    @contextmanager
    def only_writer(self, lake: LakeResource) -> Iterator[None]:
        """Hold a lock in Postgres, and wait for the run of a step that was killed, which continues without the step."""
        with self.postgres.database().lock(f"batch steps on s3://{lake.bucket}"):
            if self.engine != "embedded":  # such a deployment needs no workspace
                wait_for_active_runs(self._workspace, lake.bucket, self.poll_seconds)
            yield

    def run_on_spark(self, context: dg.AssetExecutionContext, task: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Run a task on a cluster and yield a report on each table soon after the table is finished."""
        tables, s3 = lake.tables(), lake.s3.get_client()
        parameters = RunParameters(task, tables.bucket, tables.endpoint_url, tables.region)
        step = context.op_execution_context
        # Identifies the attempt: submitting it twice yields one run.
        token = f"{context.run.run_id} {step.op_handle} {step.retry_number}"
        with (
            dg.open_pipes_session(
                context,
                PipesS3ContextInjector(bucket=self.pipes_bucket, client=s3),
                PipesS3MessageReader(bucket=self.pipes_bucket, client=s3, interval=self.poll_seconds),
                extras={PARAMETERS_KEY: RUN_PARAMETERS.dump_python(parameters, mode="json")},
            ) as session,
            batch_run(
                self._workspace,
                self.databricks.clusters(),
                tables.bucket,
                token,
                session.get_bootstrap_cli_arguments(),
            ) as run,
        ):
            context.log.info("Databricks run %s: %s", run.id, run.url)
            reports = RunReports(run, session.get_custom_messages)
            yield from reports.until_end(self.poll_seconds)
        # The session reads the last messages when it is closed.
        yield from reports.new()
        try:
            run.raise_for_failure()
        except RunFailedError as error:
            metadata = {LINK: dg.MetadataValue.url(error.url), "trace": dg.MetadataValue.text(error.trace)}
            raise dg.Failure(str(error), metadata=metadata, allow_retries=not error.cancelled) from error

    @cached_property
    def _workspace(self) -> WorkspaceClient:
        """Client that all uses share, so that a step logs in once."""
        return self.databricks.workspace(self.timeout_seconds)


class DatabricksStreamingJobsResource(StreamingJobsResource):
    """Streaming jobs as continuous jobs of a workspace, which `pin-pipeline deploy` creates."""

    databricks: dg.ResourceDependency[DatabricksResource]
    prefix: str = Field(description="Prefix of the names of the jobs in the workspace.")
    timeout_seconds: int = Field(
        default=20, description="Seconds for which Databricks may not respond before a tick of the sensor fails."
    )

    def jobs(self) -> DatabricksStreamingJobs:
        """Log in and return the client of the continuous jobs."""
        return DatabricksStreamingJobs(self.databricks.workspace(self.timeout_seconds), self.prefix)


def databricks_resources(settings: Settings, postgres: PostgresResource) -> dict[str, dg.ConfigurableResource[Any]]:
    """Create the resources that run on Databricks; they are configured by environment variables.

    Args:
        settings: settings that have a default.
        postgres: database that holds the lock of the batch steps.
    """
    databricks = DatabricksResource(
        client=DatabricksClientResource(host=dg.EnvVar("DATABRICKS_HOST"), **_credentials()),
        wheel=dg.EnvVar("PIN_DATABRICKS_WHEEL"),
        instance_profile=dg.EnvVar("PIN_DATABRICKS_INSTANCE_PROFILE"),
        catalog=settings.catalog,
        **_set_fields(OPTIONAL),
    )
    return {
        "batch": DatabricksBatchResource(
            engine=settings.batch_engine,
            max_embedded_bytes=settings.max_embedded_bytes,
            databricks=databricks,
            postgres=postgres,
            pipes_bucket=dg.EnvVar("PIN_PIPES_BUCKET"),
        ),
        "streaming_jobs": DatabricksStreamingJobsResource(databricks=databricks, prefix=settings.prefix),
    }


def _set_fields(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields whose environment variable is set."""
    present = set_variables(variables.values())
    return {field: dg.EnvVar(name) for field, name in variables.items() if name in present}


def _credentials() -> dict[str, Any]:
    """Return the credentials of the service principal if its client ID is set, else the personal access token."""
    if set_variables(["DATABRICKS_CLIENT_ID"]):
        secret = dg.EnvVar("DATABRICKS_CLIENT_SECRET")
        return {
            "oauth_credentials": OauthCredentials(client_id=dg.EnvVar("DATABRICKS_CLIENT_ID"), client_secret=secret)
        }
    return {"token": dg.EnvVar("DATABRICKS_TOKEN")}
