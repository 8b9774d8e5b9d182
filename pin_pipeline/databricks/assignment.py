"""What a batch run on Databricks is given, and what it gives back: plain data, through Pipes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.reports import Report


@dataclass(frozen=True)
class Assignment:
    """What to do, and where the lake is.

    Attributes:
        catalog: the catalog of Unity Catalog in which the tables get names, if any.
    """

    work: BatchTask
    bucket: str
    endpoint_url: str | None
    region: str
    catalog: str | None = None


# The name under which Pipes carries it.
ASSIGNMENT = "assignment"
ASSIGNMENTS = TypeAdapter(Assignment)
REPORTS = TypeAdapter(Report)
