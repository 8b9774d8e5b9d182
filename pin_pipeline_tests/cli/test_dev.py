"""Command `dev`: the addresses that it prints, and its log."""

from __future__ import annotations

import signal
import subprocess

from pin_pipeline.cli.servers import TICK_WITHOUT_REQUESTS
from pin_pipeline_tests.helpers.command_line import CommandLine

SENSOR_TICK = "Checking for new runs for sensor: stream_supervisor"


def test_dev_prints_the_addresses_in_use_and_no_ticks_that_request_nothing(command_line: CommandLine) -> None:
    command_line.variables |= {"COLUMNS": "1000"}
    del command_line.variables["PIN_GATEWAY_PORT"]
    with command_line.start("dev") as process:
        try:
            shown = read_until(process, "stream_supervisor")
        finally:
            process.send_signal(signal.SIGINT)
            rest, error = process.communicate()
    assert process.returncode == 0, error
    addresses = dict(line.rsplit(None, 1) for line in shown[2:9])
    assert set(addresses.values()) == {*command_line.addresses().values()}
    assert next(iter(addresses)) == "Dagster UI"
    assert "stopping ..." in rest
    log = (command_line.home / "logs" / "dagster.log").read_text().splitlines()
    assert any(SENSOR_TICK in line and TICK_WITHOUT_REQUESTS.search(line) for line in log)
    assert SENSOR_TICK not in "\n".join([*shown, rest])


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines of the output of a process up to the first one that contains a text."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"the process ended without printing {text!r}: {lines}")
