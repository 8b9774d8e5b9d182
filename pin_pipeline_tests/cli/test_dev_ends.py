"""End of `dev` by kills of any of its processes, and by `down`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pin_pipeline.local import servers
from pin_pipeline.local.process import DetachedProcess
from pin_pipeline_tests.cli.test_dev import END_SECONDS, groups
from pin_pipeline_tests.helpers.command_line import CommandLine
from pin_pipeline_tests.helpers.output import read_until
from pin_pipeline_tests.helpers.stopped_streams import stop_streams

DRAWS = 3
DAGSTER = {"code server": "code-server", "web server": "dagster_webserver", "daemon": "dagster._daemon"}
VICTIMS = ("everything", "command", "dagster", *DAGSTER, *servers.ADDRESSES)
SHORT = {"everything"}


@contextmanager
def dev(command_line: CommandLine) -> Iterator[subprocess.Popen[str]]:
    """Start `dev`, and yield its process when it is ready; kill it at the end."""
    with command_line.start("dev") as process:
        try:
            read_until(process, "Ctrl-C")
            yield process
        finally:
            process.kill()


def victims(victim: str, command_line: CommandLine, process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes to kill."""
    if victim == "everything":
        return [process.pid, *(member.pid for group in groups(command_line) for member in group.members())]
    if victim == "command":
        return [process.pid]
    if victim not in DAGSTER:
        return [command_line.pids()[victim]]
    members = DetachedProcess(command_line.home, servers.UI).members()
    return [member.pid for member in members if DAGSTER[victim] in " ".join(member.cmdline())]


@pytest.mark.parametrize(
    "victim", [pytest.param(victim, marks=() if victim in SHORT else pytest.mark.soak) for victim in VICTIMS]
)
def test_dev_and_servers_start_again_after_a_kill_and_end_with_down(command_line: CommandLine, victim: str) -> None:
    stop_streams(command_line.home)
    with dev(command_line) as process:
        command_line.succeed("source", "fill")
        command_line.succeed("emulate", "--draws", str(DRAWS))
        for pid in victims(victim, command_line, process):
            os.kill(pid, signal.SIGKILL)
        if victim not in servers.ADDRESSES and victim != "command":
            assert process.wait(END_SECONDS) != 0
    command_line.succeed("up")
    with dev(command_line) as process:
        command_line.succeed("emulate", "--draws", str(DRAWS))
        command_line.succeed("land")
        reconciled = command_line.read_json("reconcile")
        assert reconciled["discrepancies"] == []
        assert [source["waiting"] for source in reconciled["counts"][:3]] == [2 * DRAWS] * 3
        command_line.succeed("down")
        assert process.wait(END_SECONDS) == 1
    assert not any(group.is_alive() for group in groups(command_line))
