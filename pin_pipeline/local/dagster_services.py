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

from pin_pipeline.local import ports
from pin_pipeline.local.waiting import WaitTimeoutError, wait_until

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
    """Yield an empty dictionary, and end the processes in it, and those that they have started, after the block."""
    processes: dict[str, Process] = {}
    try:
        yield processes
    finally:
        for process in processes.values():
            _signal(process, signal.SIGTERM)
        with suppress(WaitTimeoutError):
            wait_until(lambda: not any(map(_is_running, processes.values())), STOP_SECONDS, "they ignored SIGTERM")
        for process in processes.values():
            _signal(process, signal.SIGKILL)
            process.wait()


def _start(module: str, *arguments: str) -> Process:
    """Start a module in a process group of its own: Dagster's code server is two processes."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments], process_group=0)  # noqa: S603


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _is_running(process: Process) -> bool:
    """Return whether a process of the group is running."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


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
