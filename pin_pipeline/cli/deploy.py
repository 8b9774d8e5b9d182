"""The command `deploy`: streaming jobs on Databricks."""

from __future__ import annotations

from rich.console import Console

from pin_pipeline.databricks.clusters import Clusters
from pin_pipeline.databricks.deploy import PASSED_ON, deploy_jobs, job_variables
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.settings import DatabricksSettings, Settings, set_variables


def deploy(console: Console, *, dry_run: bool) -> None:
    """Create or update the streaming jobs, and print how they differed.

    Raises:
        SettingError: a variable is not set.
        WorkspaceError: Databricks refuses, or does not respond.
    """
    databricks = DatabricksSettings.load()
    clusters = Clusters.of(databricks)
    jobs = DatabricksStreamingJobs.of(Settings.load(), databricks)
    variables = job_variables(set_variables(PASSED_ON), databricks.secret_scope)
    for change in deploy_jobs(jobs, clusters, variables, dry_run=dry_run):
        console.print(f"{change.title}: {change.action}")
        for line in change.diff:
            console.print(line, markup=False, soft_wrap=True)
