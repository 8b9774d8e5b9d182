"""The processes of the Dagster UI: code server, web server and daemon, until one of them ends.

`dagster dev` starts the same three, but its web server cannot be guarded.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from pin_pipeline.local import ports
from pin_pipeline.local.process import group_members
from pin_pipeline.local.waiting import wait_until

LOCATION, DEFINITIONS = "pin_pipeline", "pin_pipeline.definitions"
"""Name and module of the code location, as in `workspace.yaml`."""
START_SECONDS, STOP_SECONDS = 60, 5
Process = subprocess.Popen[bytes]


def main() -> None:
    """Run the processes; exit with 1 and the name of the first one that ends by itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    port = parser.parse_args().port
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _exit)
    # No process of an earlier session is running: they share the lock of this one.
    subprocess.run([sys.executable, "-m", "pin_pipeline.defs.interrupted_runs"], check=True)
    with tempfile.TemporaryDirectory(prefix="dagster-") as folder, _processes() as processes:
        socket, workspace = Path(folder, "code.sock"), Path(folder, "workspace.yaml")
        workspace.write_text(f"load_from: [{{grpc_server: {{socket: {socket}, location_name: {LOCATION}}}}}]\n")
        code = ["-m", DEFINITIONS, "--location-name", LOCATION, "--socket", str(socket)]
        processes["code server"] = _start("dagster", "code-server", "start", *code)
        wait_until(socket.exists, START_SECONDS, f"Dagster's code server did not start within {START_SECONDS} s")
        options = ["-w", str(workspace)]
        address = ["--host", ports.HOST, "--port", port]
        processes["web server"] = _start("pin_pipeline.local.dagster_webserver", *options, *address)
        processes["daemon"] = _start("dagster._daemon", "run", *options)
        sys.exit(f"Dagster's {_wait_for_first(processes)} ended: see its messages above")


@contextmanager
def _processes() -> Iterator[dict[str, Process]]:
    """Yield an empty dictionary, and end the processes of this group after the block: those in it, and their children.

    A child of a process that was killed is not one of this process, but belongs to its group.
    """
    processes: dict[str, Process] = {}
    try:
        yield processes
    finally:
        started = [member for member in group_members(os.getpgrp()) if member.pid != os.getpid()]
        for process in started:
            with suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(started, STOP_SECONDS)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive)


def _start(module: str, *arguments: str) -> Process:
    return subprocess.Popen([sys.executable, "-m", module, *arguments])  # noqa: S603


def _wait_for_first(processes: Mapping[str, Process]) -> str:
    """Wait until a process ends, and return its name."""
    while True:
        for name, process in processes.items():
            try:
                process.wait(1 / len(processes))
            except subprocess.TimeoutExpired:
                continue
            return name


def _exit(signal_number: int, _: FrameType | None) -> None:
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    main()
