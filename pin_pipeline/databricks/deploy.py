"""Deployment of the continuous jobs: creates missing jobs and updates those whose settings differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from databricks.sdk.service.jobs import Continuous, JobSettings, PauseStatus, Task

from pin_pipeline.databricks.clusters import Clusters, entry_point
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.databricks.workspace import translate_errors
from pin_pipeline.streaming.jobs import STREAMING_JOBS, StreamingJob

STREAM_ENTRY_POINT = "pin-pipeline-stream"
PASSED_ON = (
    "PIN_ENVIRONMENT",
    "AWS_REGION",
    "PIN_PREFIX",
    "PIN_BUCKET",
    "PIN_CATALOG",
    "PIN_CHECKPOINTS",
    "PIN_SHARE_ONE_STREAM",
    "PIN_KAFKA_BOOTSTRAP",
    "PIN_KAFKA_SECURITY",
    "PIN_KAFKA_SECRET",
    "PIN_MSK_CLUSTER_ARN",
    "PIN_S3_ENDPOINT_URL",
    "PIN_KINESIS_ENDPOINT_URL",
)
"""Environment variables that a streaming job reads, copied from the environment of the deployment."""
SECRETS = {"PIN_POSTGRES_URL": "postgres-url"}
"""Environment variables that contain a password, and their keys in the secret scope."""
MANAGED_MAPPINGS = {"spark_conf", "spark_env_vars"}
"""Settings in which an entry that the project does not define is a difference; Databricks adds none to them."""


class Action(StrEnum):
    """The action of a deployment on a job."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"


@dataclass(frozen=True)
class Change:
    """The action on a job, and the diff from its existing to its new settings."""

    title: str
    action: Action
    diff: tuple[str, ...]


def deploy_jobs(
    jobs: DatabricksStreamingJobs, clusters: Clusters, variables: Mapping[str, str], *, dry_run: bool
) -> Iterator[Change]:
    """Create missing jobs, paused, and update jobs whose settings differ.

    Active runs continue with their settings; the next run has the new ones.

    Args:
        jobs: the jobs of a workspace.
        clusters: specification of their clusters.
        variables: environment variables of the streaming jobs.
        dry_run: whether to return the changes without making them.

    Raises:
        WorkspaceError: Databricks refuses or does not respond.
    """
    workspace = jobs.workspace
    for job in STREAMING_JOBS.values():
        desired = _settings(jobs.title(job.name), job, clusters, variables)
        job_id = jobs.find(job.name)
        with translate_errors(workspace.config.host, f"deploy {desired.name}"):
            if job_id is None:
                yield Change(jobs.title(job.name), Action.CREATE, _diff({}, desired.as_dict()))
                if not dry_run:
                    workspace.jobs.create(**desired.as_shallow_dict())
                continue
            existing = workspace.jobs.get(job_id).settings or JobSettings()
            desired.continuous = existing.continuous
            diff = _diff(_defined_settings(existing.as_dict(), desired.as_dict()), desired.as_dict())
            yield Change(jobs.title(job.name), Action.CHANGE if diff else Action.KEEP, diff)
            if diff and not dry_run:
                workspace.jobs.reset(job_id, desired)


def job_variables(passed_on: Mapping[str, str], scope: str) -> dict[str, str]:
    """Return the environment variables of the streaming jobs; secrets are references to the secret scope."""
    return {**passed_on} | {name: f"{{{{secrets/{scope}/{key}}}}}" for name, key in SECRETS.items()}


def _settings(title: str, job: StreamingJob, clusters: Clusters, variables: Mapping[str, str]) -> JobSettings:
    task = Task(
        task_key=job.name,
        description=job.description,
        new_cluster=clusters.for_streams(variables),
        libraries=clusters.libraries(),
        python_wheel_task=entry_point(STREAM_ENTRY_POINT, job.name),
    )
    return JobSettings(
        name=title, tasks=[task], max_concurrent_runs=1, continuous=Continuous(pause_status=PauseStatus.PAUSED)
    )


def _defined_settings(existing: object, desired: object) -> object:
    """Return the existing settings that the project defines, without the defaults that Databricks adds."""
    if isinstance(existing, dict) and isinstance(desired, dict):
        defined = {name: value for name, value in existing.items() if name in desired}
        return {
            name: value if name in MANAGED_MAPPINGS else _defined_settings(value, desired[name])
            for name, value in defined.items()
        }
    if isinstance(existing, list) and isinstance(desired, list) and len(existing) == len(desired):
        return [_defined_settings(*pair) for pair in zip(existing, desired, strict=True)]
    return existing


def _diff(existing: object, desired: object) -> tuple[str, ...]:
    before, after = (json.dumps(settings, indent=2, sort_keys=True).splitlines() for settings in (existing, desired))
    return tuple(unified_diff(before, after, "existing", "new", lineterm=""))
