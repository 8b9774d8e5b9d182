"""Command `dev`: the addresses that it prints, its log, and its end."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import pytest

from pin_pipeline.cli.servers import TICK_WITHOUT_REQUESTS
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local.process import DetachedProcess
from pin_pipeline_tests.helpers.command_line import CommandLine
from pin_pipeline_tests.helpers.output import read_until
from pin_pipeline_tests.helpers.waiting import wait_until

END_SECONDS = 60
SENSOR_TICK = "Checking for new runs for sensor: stream_supervisor"


@pytest.mark.parametrize(
    ("ends", "exit_codes"),
    [
        pytest.param((signal.SIGHUP, signal.SIGINT), {129, 130}, id="terminal closed, and Ctrl-C while it stops"),
        pytest.param((signal.SIGINT,), {0}, id="Ctrl-C", marks=pytest.mark.soak),
        pytest.param((signal.SIGTERM,), {143}, id="SIGTERM", marks=pytest.mark.soak),
    ],
)
def test_dev_fills_the_source_prints_addresses_hides_ticks_without_requests_and_ends_all_that_it_started(
    command_line: CommandLine, ends: Sequence[signal.Signals], exit_codes: set[int]
) -> None:
    command_line.variables |= {"COLUMNS": "1000"}
    del command_line.variables["PIN_GATEWAY_PORT"]
    with command_line.start("dev") as process:
        try:
            shown = read_until(process, "stream_supervisor")
            assert "already running" in command_line.fail("dev")
            for end in ends:
                process.send_signal(end)
            rest, error = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    assert process.returncode in exit_codes, error
    wait_until(lambda: not any(group.is_alive() for group in groups(command_line)))
    assert not SourceDatabase(f"sqlite:///{command_line.home}/source.db").is_empty()
    addresses = dict(line.rsplit(None, 1) for line in shown[2:9])
    assert set(addresses.values()) == {*command_line.addresses().values()}
    assert next(iter(addresses)) == "Dagster UI"
    assert ("stopping ..." in rest) == (exit_codes == {0})
    log = (command_line.home / "logs" / "dagster.log").read_text().splitlines()
    assert any(SENSOR_TICK in line and TICK_WITHOUT_REQUESTS.search(line) for line in log)
    assert SENSOR_TICK not in "\n".join([*shown, rest])


def groups(command_line: CommandLine) -> list[DetachedProcess]:
    """Return the process groups that commands have started."""
    return [DetachedProcess(command_line.home, name) for name in command_line.pids()]
