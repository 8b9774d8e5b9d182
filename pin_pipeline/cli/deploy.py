"""The command `deploy`: streaming jobs on Databricks."""

from __future__ import annotations

from dataclasses import asdict

from pin_pipeline.cli.rows import print_json, print_line
from pin_pipeline.databricks.clusters import Clusters
from pin_pipeline.databricks.deploy import PASSED_ON, deploy_jobs, job_variables
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.settings import DatabricksSettings, Settings, set_variables


def deploy(*, dry_run: bool, as_json: bool) -> None:
    """Create or update the streaming jobs, and print how they differed.

    Raises:
        SettingError: a variable is not set.
        WorkspaceError: Databricks refuses, or does not respond.
    """
    databricks = DatabricksSettings.load()
    clusters = Clusters.of(databricks)
    jobs = DatabricksStreamingJobs.of(Settings.load(), databricks)
    variables = job_variables(set_variables(PASSED_ON), databricks.secret_scope)
    changes = deploy_jobs(jobs, clusters, variables, dry_run=dry_run)
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    for change in changes:
        print_line(f"{change.title}: {change.action}")
        for line in change.diff:
            print_line(line)
