"""Step timings: the duration of each step of a run, read from the Dagster event log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dagster import DagsterInstance, RunsFilter
from dagster._core.instance.ref import InstanceRef


@dataclass(frozen=True)
class StepTiming:
    """The duration of one step of a run."""

    name: str
    seconds: float


def read_step_timings(dagster_home: Path, tags: dict[str, str]) -> list[StepTiming]:
    """Read the timings of the one run with these tags, in the order in which its steps started."""
    # The files are the same in either storage; that of `dagster.yaml` requires the environment variable DAGSTER_HOME.
    storage = {"storage": {"sqlite": {"base_dir": str(dagster_home)}}}
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(dagster_home), overrides=storage)) as instance:
        [run] = instance.get_runs(RunsFilter(tags=tags))
        steps = instance.get_run_step_stats(run.run_id)
    return [
        StepTiming(step.step_key, step.end_time - step.start_time)
        for step in sorted(steps, key=lambda step: step.start_time or 0)
        if step.start_time and step.end_time
    ]
