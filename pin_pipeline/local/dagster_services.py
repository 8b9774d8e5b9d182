"""The processes of the Dagster UI: code server, web server and daemon, until one of them ends.

`dagster dev` starts the same three, but its web server cannot be guarded.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from pin_pipeline.local import ports
from pin_pipeline.local.waiting import wait_until

DAGSTER = (sys.executable, "-m", "dagster")
LOCATION, DEFINITIONS = "pin_pipeline", "pin_pipeline.definitions"
"""Name and module of the code location, as in `workspace.yaml`."""
START_SECONDS, STOP_SECONDS = 60, 5


def main() -> None:
    """Run the processes; exit with 1 and the name of the first one that ends by itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True)
    port = parser.parse_args().port
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _exit)
    with tempfile.TemporaryDirectory(prefix="dagster-") as folder, ExitStack() as running:
        socket, workspace = Path(folder, "code.sock"), Path(folder, "workspace.yaml")
        workspace.write_text(f"load_from: [{{grpc_server: {{socket: {socket}, location_name: {LOCATION}}}}}]\n")
        code = [
            *DAGSTER,
            "code-server",
            "start",
            "-m",
            DEFINITIONS,
            "--socket",
            str(socket),
            "--location-name",
            LOCATION,
        ]
        processes = {"code server": running.enter_context(_process(code))}
        wait_until(socket.exists, START_SECONDS, f"Dagster's code server did not start within {START_SECONDS} s")
        address = ["--host", ports.HOST, "--port", port]
        processes |= {
            "web server": running.enter_context(
                _process([sys.executable, "-m", "pin_pipeline.local.dagster_webserver", "-w", str(workspace), *address])
            ),
            "daemon": running.enter_context(
                _process([sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)])
            ),
        }
        ended = _wait_for_first(processes)
        for process in processes.values():
            process.terminate()
        sys.exit(f"Dagster's {ended} ended: see its messages above")


def _wait_for_first(processes: Mapping[str, subprocess.Popen[bytes]]) -> str:
    """Wait until a process ends, and return its name."""
    while True:
        for name, process in processes.items():
            try:
                process.wait(1 / len(processes))
            except subprocess.TimeoutExpired:
                continue
            return name


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _exit(signal_number: int, _: FrameType | None) -> None:
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    main()
