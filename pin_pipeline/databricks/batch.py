"""The batch run on the cluster, an entry point of the wheel: it gets its assignment by Pipes, and reports by it.

It reports as the local Spark does, by `Report`, so that what the UI shows of a table is made in one place.
"""

from __future__ import annotations

import boto3
from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    open_dagster_pipes,
)
from pyspark.sql import SparkSession

from pin_pipeline.databricks.assignment import ASSIGNMENT, ASSIGNMENTS, REPORTS
from pin_pipeline.spark.unity_catalog import register
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

SECONDS_BETWEEN_MESSAGES = 1


def main() -> None:
    """Do what the assignment says; what goes wrong fails the run, with its traceback in the run's output."""
    s3 = boto3.client("s3")
    with open_dagster_pipes(
        context_loader=PipesS3ContextLoader(s3),
        message_writer=PipesS3MessageWriter(s3, interval=SECONDS_BETWEEN_MESSAGES),
        params_loader=PipesCliArgsParamsLoader(),  # type: ignore[no-untyped-call]
    ) as pipes:
        _run(pipes)


def _run(pipes: PipesContext) -> None:
    assignment = ASSIGNMENTS.validate_python(pipes.get_extra(ASSIGNMENT))
    lake = Lake(assignment.bucket, assignment.endpoint_url, assignment.region)
    client = boto3.client("s3", endpoint_url=assignment.endpoint_url, region_name=assignment.region)
    store = ObjectStore(client, assignment.bucket)
    for report in assignment.work.run(_session, lake, store):
        if assignment.catalog:
            register(_session(), lake, report.key, assignment.catalog)
        pipes.report_custom_message(REPORTS.dump_python(report, mode="json"))


def _session() -> SparkSession:
    """The session of the cluster, which has its settings from there."""
    return SparkSession.builder.getOrCreate()
