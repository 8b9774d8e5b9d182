"""Job runner: runs a Dagster job in a subprocess and returns the timings of its steps."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from pin_pipeline.local.dagster_services import DEFINITIONS
from pin_pipeline.local.dagster_ui import COMMAND_TAG, dagster_home, job_log
from pin_pipeline.local.errors import LocalError
from pin_pipeline.settings import Settings, child_environment

if TYPE_CHECKING:
    from pin_pipeline.defs.step_timings import StepTiming


def run_job(settings: Settings, name: str, config: Mapping[str, Any]) -> list[StepTiming]:
    """Run a job to its end, in a new process.

    Args:
        settings: passed on to the job; its output goes to `logs/{name}.log` in their home.
        name: name of the job.
        config: run config.

    Returns:
        The timings of the steps, in the order in which they started.

    Raises:
        LocalError: the run failed.
    """
    home = dagster_home(settings.home)
    tags, log = {COMMAND_TAG: uuid.uuid4().hex}, job_log(settings.home, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", DEFINITIONS, "-j", name]
    with log.open("w") as output, NamedTemporaryFile("w", suffix=".yaml") as file:
        fcntl.flock(output, fcntl.LOCK_EX)  # the process of the run inherits the lock, and holds it until it ends
        json.dump(config, file)  # JSON is valid YAML
        file.flush()
        process = subprocess.run(  # noqa: S603
            [*command, "--config", file.name, "--tags", json.dumps(tags)],
            env=child_environment({**settings.variables(), "DAGSTER_HOME": str(home)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if process.returncode:
        raise LocalError(f"job {name} failed: see the errors in {log}, or its run in the UI")
    from pin_pipeline.defs.step_timings import read_step_timings  # noqa: PLC0415 - importing dagster takes seconds

    return read_step_timings(home, tags)
