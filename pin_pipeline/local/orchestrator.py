"""Dagster on this machine: jobs run to their end, and the UI as one more server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import Server, answers

WORKSPACE = Path("workspace.yaml")
DEFINITIONS = "pin_pipeline.definitions"
RUN_TAG = "pin_pipeline/started_by_hand"
# Warnings that Dagster gives itself: of its own command, and of a parameter that it passes to any sensor.
NOT_OURS = (
    "ignore:Function `dev_command` is superseded",
    "ignore:Parameter `owners` of initializer `SensorDefinition.__init__` is currently in beta",
)
# What our own modules log shows in the log of the run that called them.
SETTINGS = """\
telemetry:
  enabled: false
nux:
  enabled: false
python_logs:
  managed_python_loggers: [pin_pipeline]
  python_log_level: INFO
"""


@dataclass(frozen=True)
class Step:
    """One step of a run, and how long it took."""

    name: str
    seconds: float


def home(state: Path) -> Path:
    """Where Dagster keeps runs and events; made with our settings where it is not there."""
    folder = state / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        (folder / "dagster.yaml").write_text(SETTINGS)
    return folder


def server(state: Path, port: int) -> Server:
    """`dagster dev`: the UI and the daemon of schedules and sensors.

    Raises:
        LocalError: this is not the project's folder.
    """
    if not WORKSPACE.exists():
        raise LocalError(f"there is no {WORKSPACE} in {Path.cwd()}: run this in the folder of the project")
    address = f"http://{ports.HOST}:{port}"
    options = ["-w", str(WORKSPACE.absolute()), "--host", ports.HOST, "--port", str(port)]
    command = [sys.executable, "-m", "dagster", "dev", *options]
    environment = {"DAGSTER_HOME": str(home(state)), "PYTHONWARNINGS": ",".join(NOT_OURS)}
    return Server("dagster", address, command, environment, lambda: answers(f"{address}/server_info"))


def run_job(state: Path, name: str, config: Mapping[str, Any]) -> list[Step]:
    """Run a job in a process of its own, its log in `logs/`; the steps in the order they started.

    Raises:
        LocalError: the run failed.
    """
    tag = uuid.uuid4().hex
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", DEFINITIONS, "-j", name]
    log = state / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output, NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)  # which is YAML
        file.flush()
        ended = subprocess.run(  # noqa: S603
            [*command, "--config", file.name, "--tags", json.dumps({RUN_TAG: tag})],
            env={**os.environ, "DAGSTER_HOME": str(home(state))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        raise LocalError(f"job {name} failed: see the errors in {log}, or its run in the UI")
    from dagster import DagsterInstance, RunsFilter  # noqa: PLC0415 - takes longer to import than most commands to run

    with DagsterInstance.from_config(str(home(state))) as instance:
        [run] = instance.get_runs(RunsFilter(tags={RUN_TAG: tag}))
        steps = instance.get_run_step_stats(run.run_id)
    return [
        Step(step.step_key, step.end_time - step.start_time)
        for step in sorted(steps, key=lambda step: step.start_time or 0)
        if step.start_time and step.end_time
    ]
