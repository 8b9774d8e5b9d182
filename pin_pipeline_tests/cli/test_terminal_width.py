"""Output of the commands in terminals of different widths: names and addresses are complete on one line."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import run_clean
from pin_pipeline_tests.helpers.command_line import PROGRAM, CommandLine
from pin_pipeline_tests.helpers.rows import geo, pin
from pin_pipeline_tests.helpers.topics import produce

WIDTHS = (40, 80, 200)
LONG_URL = f"https://example.org/{'image/' * 30}1.jpg"
IDENTIFYING = {
    ("status",): ("server", "address"),
    ("streams", "status"): ("job", "table"),
    ("land",): ("topic",),
    ("reconcile",): ("source",),
    ("show", "cleaned/pin"): ("ind", "unique_id", "image_src", "poster_name"),
    ("quarantine", "list"): ("record", "reason", "field"),
    ("quarantine", "show", "geo/0/1"): ("reason", "rules_version"),
}
"""Fields of the output of each command that users copy or tell rows by."""
EXIT_CODES = {("status",): 1, ("streams", "status"): 1}
"""Exit codes other than 0: no server and no streaming job of the home is running."""


@pytest.fixture
def filled(
    connected: CommandLine, settings: Settings, streams: dict[str, str], engine: BatchEngine[Any]
) -> CommandLine:
    """Provide commands that use an environment with published and rejected records."""
    assert streams
    connected.variables |= {
        "PIN_PREFIX": settings.prefix,
        "PIN_BUCKET": settings.bucket,
        "PIN_KINESIS_ENDPOINT_URL": str(settings.kinesis_endpoint_url),
    }
    produce(settings, "pin", [pin(1, image_src=LONG_URL), pin(2, title="日本")])
    produce(settings, "geo", [geo(1), geo(2, latitude="north")])
    connected.succeed("land")
    run_clean(settings, engine)
    return connected


def values(document: Any, names: tuple[str, ...]) -> set[str]:
    """Return the values that fields have anywhere in a JSON document."""
    if isinstance(document, list):
        return set().union(*(values(item, names) for item in document))
    if not isinstance(document, dict):
        return set()
    own = {str(document[name]) for name in names if document.get(name) is not None}
    return own.union(*(values(item, names) for item in document.values()))


def test_names_and_addresses_are_complete_at_any_width(filled: CommandLine) -> None:
    for command, names in IDENTIFYING.items():
        exit_code = EXIT_CODES.get(command, 0)
        expected = values(filled.read_json(*command, exit_code=exit_code), names)
        assert expected, command
        for width in WIDTHS:
            result = filled.run(*command, COLUMNS=str(width))
            assert result.returncode == exit_code, result
            lines = result.stdout.splitlines()
            assert {value for value in expected if not any(value in line for line in lines)} == set(), (command, width)
            assert "…" not in result.stdout


def test_characters_that_the_terminal_cannot_encode_are_escaped(filled: CommandLine) -> None:
    filled.variables["PYTHONIOENCODING"] = "ascii"
    assert r"\u65e5\u672c" in in_terminal(filled, 80, "show", "cleaned/pin")


@pytest.mark.parametrize("width", WIDTHS)
def test_width_is_that_of_the_terminal(connected: CommandLine, width: int) -> None:
    output = in_terminal(connected, width, "status")
    assert "postgresql://pin@127.0.0.1:5432/pinterest_streaming" in output
    assert ("address:" in output) is (width < 80), output


def in_terminal(command_line: CommandLine, width: int, *command: str) -> str:
    """Run a command in a pseudoterminal, and return what it shows, without colors."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    variables = {name: value for name, value in command_line.environment().items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        env=variables | {"TERM": "xterm", "NO_COLOR": "1"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    output = b""
    while chunk := read(terminal):
        output += chunk
    os.close(terminal)
    process.wait()
    return output.decode()


def read(terminal: int) -> bytes:
    """Read from a pseudoterminal; empty at its end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
