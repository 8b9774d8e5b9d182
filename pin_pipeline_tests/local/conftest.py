"""The command line at work on a home of the test's own, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pin_pipeline.local import ports, servers


@dataclass
class Machine:
    """A home, and the commands that are given in it."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **variables: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIN_", "AWS_"))}
        if "PIN_JARS" in os.environ:
            inherited["PIN_JARS"] = os.environ["PIN_JARS"]
        return inherited | {"PIN_HOME": str(self.home)} | self.variables | variables

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", "from pin_pipeline.cli.app import main; main()", *command],
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        with self.start(*command, **variables) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def succeed(self, *command: str, **variables: str) -> str:
        answer = self.run(*command, **variables)
        assert answer.returncode == 0, answer
        return answer.stdout

    def fail(self, *command: str, **variables: str) -> str:
        """The sentence with which a command fails, as it must."""
        answer = self.run(*command, **variables)
        assert answer.returncode == 1, answer
        *_, line = answer.stderr.splitlines()
        assert line.startswith("pin-pipeline: ")
        return line

    def addresses(self) -> dict[str, str]:
        lines = (self.home / "servers.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def pids(self) -> dict[str, int]:
        return {path.stem: int(path.read_text()) for path in self.home.glob("*.pid")}


@contextmanager
def new_machine(folder: Path) -> Iterator[Machine]:
    """A machine on which nothing runs yet; its servers get ports of their own and are stopped at the end."""
    variables = {f"PIN_{name.upper()}_PORT": str(ports.free()) for name in servers.ADDRESSES}
    machine = Machine(folder / "home", variables)
    try:
        yield machine
    finally:
        machine.run("down")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of the test's own."""
    with new_machine(tmp_path) as machine:
        yield machine
