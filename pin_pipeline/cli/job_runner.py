"""Job runner: runs a Dagster job in a subprocess and returns the duration of its steps."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pin_pipeline.local.dagster_ui import CONFIG_FILE, TIMINGS_FILE, dagster_variables, job_log
from pin_pipeline.local.errors import LocalError
from pin_pipeline.settings import Settings, child_environment


def run_job(settings: Settings, name: str, config: Mapping[str, Any]) -> dict[str, float]:
    """Run a job to its end, in a new process.

    Args:
        settings: passed on to the job; its output goes to `logs/{name}.log` in their home.
        name: name of the job.
        config: run config.

    Returns:
        The seconds of each step, in the order in which the steps ran.

    Raises:
        LocalError: the run failed.
    """
    log = job_log(settings.home, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output, TemporaryDirectory() as folder:
        fcntl.flock(output, fcntl.LOCK_EX)  # the process of the run inherits the lock, and holds it until it ends
        Path(folder, CONFIG_FILE).write_text(json.dumps(config))
        process = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pin_pipeline.defs.run_job", name, folder],
            env=child_environment({**settings.variables(), **dagster_variables(settings.home)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if process.returncode:
            raise LocalError(f"job {name} failed: see the errors in {log}, or its run in the UI")
        seconds: dict[str, float] = json.loads(Path(folder, TIMINGS_FILE).read_text())
        return seconds
