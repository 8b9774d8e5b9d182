"""Benchmark of the set-up: from a fresh clone to the end of `make demo`, with empty and with filled caches.

Needs the network. What is committed is cloned; uncommitted changes are not measured.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.local_services import CLEARED_PREFIXES
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report

ROOT = Path(__file__).parents[1]
CACHES = {"UV_CACHE_DIR": "uv", "PIP_CACHE_DIR": "pip", "PIN_JARS": "jars"}
"""Variables that locate what is downloaded, and the folder of each in this benchmark."""


def main() -> None:
    """Measure a clone with empty caches, then one with the caches that the first has filled."""
    with tempfile.TemporaryDirectory(prefix="pin-pipeline-caches-") as caches:
        variables = {name: str(Path(caches, folder)) for name, folder in CACHES.items()}
        cold, warm = (_measure(name, variables) for name in ("empty caches", "filled caches"))
    print_report(
        Measurement("installation, empty caches", cold[0], "s"),
        Measurement("fresh clone to the end of make demo, empty caches", sum(cold), "s", at_most=210),
        Measurement("installation, filled caches", warm[0], "s"),
        Measurement("fresh clone to the end of make demo, filled caches", sum(warm), "s", at_most=90),
    )


def _measure(name: str, caches: dict[str, str]) -> tuple[float, float]:
    """Return the seconds of cloning and installing, and those of the demo."""
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(CLEARED_PREFIXES)}
    with tempfile.TemporaryDirectory(prefix="pin-pipeline-clone-") as folder:
        Path(folder).chmod(0o755)  # if this is root, Postgres runs as another user, who must find its programs there

        def run(*command: str) -> None:
            subprocess.run(command, cwd=folder, env=cleared | caches, check=True, stdout=subprocess.DEVNULL)  # noqa: S603

        def install() -> None:
            run("git", "clone", "--quiet", str(ROOT), folder)
            run("make", ".venv/installed")

        log_progress(f"installation with {name}")
        installation = measure_seconds(install)
        log_progress(f"demo with {name}")
        return installation, measure_seconds(run, "make", "demo")


if __name__ == "__main__":
    main()
