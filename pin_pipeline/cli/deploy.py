"""What `pin-pipeline deploy` does."""

from __future__ import annotations

import re

import dagster as dg
from rich.console import Console

from pin_pipeline import settings as environment
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.defs.resources.databricks import databricks_resources

NOT_SET = re.compile(r'environment variable "(\w+)" which is not set')


def deploy(console: Console, *, dry_run: bool) -> None:
    """Bring the streaming jobs to what the project says, and print what differed.

    Raises:
        WorkspaceError: a variable is not set, or Databricks refuses or does not answer.
    """
    resource = databricks_resources(environment.load())["streaming_jobs"]
    try:
        with dg.build_resources({"streaming_jobs": resource}) as resources:
            for change in resources.streaming_jobs.deploy(dry_run=dry_run):
                console.print(f"{change.title}: {change.action}")
                for line in change.diff:
                    console.print(line, markup=False, soft_wrap=True)
    except dg.DagsterInvalidConfigError as error:
        names = " and ".join(NOT_SET.findall(str(error)))
        raise WorkspaceError(f"{names} must be set to deploy to Databricks; see docs/databricks.md") from error
