"""Runs `pin-pipeline` commands in separate processes, in a home and with ports of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pin_pipeline.cli.main import main
from pin_pipeline.local import ports, servers
from pin_pipeline_tests.helpers.processes import PROCESSES

PROGRAM = "from pin_pipeline.cli.main import main; main()"


@dataclass
class CommandLine:
    """Commands that share a home and environment variables.

    Attributes:
        home: value of PIN_HOME.
        variables: environment variables of every command; other PIN_* and AWS_* variables are removed.
    """

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **variables: str) -> dict[str, str]:
        return inherited_environment() | {"PIN_HOME": str(self.home)} | self.variables | variables

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *command],
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        with TemporaryDirectory() as folder:
            outputs = Path(folder, "stdout"), Path(folder, "stderr")
            arguments = (command, self.environment(**variables), Path.cwd(), outputs)
            process = PROCESSES.Process(target=_run_command, args=arguments)
            process.start()
            process.join()
            assert process.exitcode is not None
            out, err = (output.read_text() for output in outputs)
        return subprocess.CompletedProcess(command, process.exitcode, out, err)

    def succeed(self, *command: str, **variables: str) -> str:
        """Run a command that must succeed, and return its output."""
        result = self.run(*command, **variables)
        assert result.returncode == 0, result
        return result.stdout

    def read_json(self, *command: str, exit_code: int = 0, **variables: str) -> Any:
        """Run a command with `--json`, and return the document that it prints."""
        result = self.run(*command, "--json", **variables)
        assert result.returncode == exit_code, result
        return json.loads(result.stdout)

    def fail(self, *command: str, **variables: str) -> str:
        """Run a command that must fail, and return its error message."""
        result = self.run(*command, **variables)
        assert result.returncode == 1, result
        *_, line = result.stderr.splitlines()
        assert line.startswith("pin-pipeline: ")
        return line

    def addresses(self) -> dict[str, str]:
        lines = (self.home / "servers.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def pids(self) -> dict[str, int]:
        return {path.stem: int(path.read_text()) for path in self.home.glob("*.pid")}


def inherited_environment() -> dict[str, str]:
    """Return the environment variables of this process without its settings, except the jar cache."""
    return {
        name: value for name, value in os.environ.items() if name == "PIN_JARS" or not name.startswith(("PIN_", "AWS_"))
    }


def free_ports() -> dict[str, str]:
    """Return environment variables that give every local server a free port."""
    return {f"PIN_{name.upper()}_PORT": str(ports.free_port()) for name in servers.ADDRESSES}


def _run_command(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, outputs: tuple[Path, Path]
) -> None:
    """Run a command in this process, with its own environment variables, working directory and output files."""
    for output, descriptor in zip(outputs, (1, 2), strict=True):
        with output.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["pin-pipeline", *command]
    main()


@contextmanager
def new_command_line(folder: Path) -> Iterator[CommandLine]:
    """Provide a home without running servers, with free ports; started ones are stopped at the end."""
    command_line = CommandLine(folder / "home", free_ports())
    try:
        yield command_line
    finally:
        if command_line.pids():
            command_line.run("down")
