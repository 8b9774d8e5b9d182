"""Bring the continuous jobs of a workspace to what the project says: once made, made again only where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from databricks.sdk.service.jobs import Continuous, JobSettings, PauseStatus, Task

from pin_pipeline.databricks.clusters import Clusters, entry_point
from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs
from pin_pipeline.databricks.workspace import asking
from pin_pipeline.streaming.jobs import STREAMING_JOBS, StreamingJob

STREAM = "pin-pipeline-stream"
# Of the variables of `environment`, those that a streaming job reads.
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
# Those that hold a password, and what they are called in the secret scope.
SECRETS = {"PIN_POSTGRES_URL": "postgres-url"}
# Settings that are all ours: what is there and not wanted is a difference.
WHOLE = {"spark_conf", "spark_env_vars"}


class Action(StrEnum):
    """What becomes of a job."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"


@dataclass(frozen=True)
class Change:
    """A job, and how it differs from what it should be: the lines of a diff."""

    title: str
    action: Action
    diff: tuple[str, ...]


def deploy(
    jobs: DatabricksStreamingJobs, clusters: Clusters, variables: Mapping[str, str], *, dry_run: bool
) -> Iterator[Change]:
    """Create the jobs that are not there, paused, and change those that differ; who runs goes on running.

    A run has the settings with which it was started: what was changed, the next one has.

    Args:
        variables: what the streaming jobs find in their environment.
        dry_run: only say what would be done.

    Raises:
        WorkspaceError: Databricks refuses or does not answer.
    """
    workspace = jobs.workspace
    for job in STREAMING_JOBS.values():
        wanted = _settings(jobs.title(job.name), job, clusters, variables)
        job_id = jobs.find(job.name)
        with asking(workspace.config.host, f"deploy {wanted.name}"):
            if job_id is None:
                yield Change(jobs.title(job.name), Action.CREATE, _diff({}, wanted.as_dict()))
                if not dry_run:
                    workspace.jobs.create(**wanted.as_shallow_dict())
                continue
            there = workspace.jobs.get(job_id).settings or JobSettings()
            wanted.continuous = there.continuous
            diff = _diff(_ours(there.as_dict(), wanted.as_dict()), wanted.as_dict())
            yield Change(jobs.title(job.name), Action.CHANGE if diff else Action.KEEP, diff)
            if diff and not dry_run:
                workspace.jobs.reset(job_id, wanted)


def variables(environ: Mapping[str, str], scope: str) -> dict[str, str]:
    """What the streaming jobs find in their environment: as it is here, and secrets as references to their scope."""
    passed_on = {name: environ[name] for name in PASSED_ON if environ.get(name)}
    return passed_on | {name: f"{{{{secrets/{scope}/{key}}}}}" for name, key in SECRETS.items()}


def _settings(title: str, job: StreamingJob, clusters: Clusters, variables: Mapping[str, str]) -> JobSettings:
    task = Task(
        task_key=job.name,
        description=job.description,
        new_cluster=clusters.for_streams(variables),
        libraries=clusters.libraries(),
        python_wheel_task=entry_point(STREAM, job.name),
    )
    return JobSettings(
        name=title, tasks=[task], max_concurrent_runs=1, continuous=Continuous(pause_status=PauseStatus.PAUSED)
    )


def _ours(there: object, wanted: object) -> object:
    """Of settings that are there, those that we have something to say about: Databricks adds defaults of its own."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        kept = {name: value for name, value in there.items() if name in wanted}
        return {name: value if name in WHOLE else _ours(value, wanted[name]) for name, value in kept.items()}
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        return [_ours(*pair) for pair in zip(there, wanted, strict=True)]
    return there


def _diff(there: object, wanted: object) -> tuple[str, ...]:
    before, after = (json.dumps(settings, indent=2, sort_keys=True).splitlines() for settings in (there, wanted))
    return tuple(unified_diff(before, after, "there", "wanted", lineterm=""))
