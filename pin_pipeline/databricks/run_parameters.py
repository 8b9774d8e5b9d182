"""Parameters of a batch run on Databricks, and the reports that it returns: plain data, sent by Dagster Pipes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.reports import Report

PARAMETERS_KEY = "assignment"
"""Key of the parameters among the extras of Dagster Pipes."""


@dataclass(frozen=True)
class RunParameters:
    """The task of a run, and the location of the lake.

    Attributes:
        task: the task.
        bucket: bucket of the lake.
        endpoint_url: address of S3; None for AWS.
        region: AWS region of the bucket.
    """

    task: BatchTask
    bucket: str
    endpoint_url: str | None
    region: str


RUN_PARAMETERS = TypeAdapter(RunParameters)
REPORT = TypeAdapter(Report)
