"""Entry point of the wheel for a batch run: receives its parameters and sends its reports by Dagster Pipes.

The reports are the same `Report` objects as those of local Spark, so that their presentation in the UI is defined once.
"""

from __future__ import annotations

from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    open_dagster_pipes,
)
from pyspark.sql import SparkSession

from pin_pipeline.aws import clients
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.databricks.run_parameters import PARAMETERS_KEY, REPORT, RUN_PARAMETERS
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

MESSAGE_SECONDS = 1
"""Interval at which Pipes uploads messages."""


def main() -> None:
    """Run the task. An error fails the run; its traceback is in the output of the run."""
    s3 = clients.client("s3", None)
    with open_dagster_pipes(
        context_loader=PipesS3ContextLoader(s3),
        message_writer=PipesS3MessageWriter(s3, interval=MESSAGE_SECONDS),
        params_loader=PipesCliArgsParamsLoader(),  # type: ignore[no-untyped-call]
    ) as pipes:
        _run(pipes)


def _run(pipes: PipesContext) -> None:
    parameters = RUN_PARAMETERS.validate_python(pipes.get_extra(PARAMETERS_KEY))
    lake = Lake(parameters.bucket, parameters.endpoint_url, parameters.region)
    client = clients.client("s3", parameters.region, parameters.endpoint_url)
    store = ObjectStore(client, parameters.bucket)
    for report in parameters.task.run(SparkEngine(_session), lake, store):
        pipes.report_custom_message(REPORT.dump_python(report, mode="json"))


def _session() -> SparkSession:
    """Return the session of the cluster, which is configured by the cluster."""
    return SparkSession.builder.getOrCreate()
