"""The Dagster UI and daemon as a local server."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.readiness import http_ready
from pin_pipeline.local.server import ServerSpec
from pin_pipeline.settings import LocalSettings, Settings

WORKSPACE = Path("workspace.yaml")
COMMAND_TAG = "pin_pipeline/started_by_hand"
"""Tag of the run of a job that a command runs, instead of the code server."""
CONFIG_FILE, TIMINGS_FILE = "config.json", "timings.json"
"""Input and output of `pin_pipeline.defs.run_job`."""
IGNORED_WARNING = "ignore:Parameter `owners` of initializer `SensorDefinition.__init__` is currently in beta"
"""Warning of Dagster 1.13 about a parameter that it passes to every sensor itself."""
INSTANCE_CONFIG = """\
telemetry:
  enabled: false
nux:
  enabled: false
python_logs:
  managed_python_loggers: [pin_pipeline]
  python_log_level: INFO
# A run that does not start or stop in time is marked as failed; `pin_pipeline.defs.interrupted_runs` finds the others.
run_monitoring:
  enabled: true
storage:
  custom:
    module: pin_pipeline.defs.event_log
    class: OpenSqliteStorage
    config:
      base_dir: {env: DAGSTER_HOME}
"""
"""`dagster.yaml` of a new instance. `python_logs` shows what `pin_pipeline` modules log in the event log of a run."""


def dagster_home(state: Path) -> Path:
    """Return DAGSTER_HOME, the folder of runs and events, after creating it if missing."""
    folder = state / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        (folder / "dagster.yaml").write_text(INSTANCE_CONFIG)
    return folder


def dagster_variables(state: Path) -> dict[str, str]:
    """Return the environment variables of every process that opens the instance."""
    # Without a batch size, Dagster stores the 80 events that plan a daily batch one by one.
    return {"DAGSTER_HOME": str(dagster_home(state)), "DAGSTER_EVENT_BATCH_SIZE": "1000"}


def job_log(state: Path, job: str) -> Path:
    """Return the output of the last command that ran a job. The process of the run holds a lock on the file."""
    return state / "logs" / f"{job}.log"


@contextmanager
def only_session(settings: LocalSettings) -> Iterator[None]:
    """Be the only `pin-pipeline dev` of a home during the block.

    Raises:
        LocalError: there is another one.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "dev.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(
                f"`pin-pipeline dev` is already running in {settings.home}: use its UI (`pin-pipeline status` has the "
                "address), or stop it with Ctrl-C in its terminal, or with `pin-pipeline down`"
            ) from None
        yield


def server(settings: Settings, port: int) -> ServerSpec:
    """Define the UI, and the daemon that runs schedules and sensors.

    Raises:
        LocalError: the working directory is not the root of the project, where a developer expects the state to be.
    """
    if not WORKSPACE.exists():
        raise LocalError(f"{WORKSPACE} not found in {Path.cwd()}: run this command in the root of the project")
    address = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "pin_pipeline.local.dagster_services", "--port", str(port)]
    variables = dagster_variables(settings.home) | {"PYTHONWARNINGS": IGNORED_WARNING}
    return ServerSpec(
        "dagster",
        address,
        port,
        command,
        settings.variables() | variables,
        lambda: http_ready(f"{address}/server_info"),
    )
