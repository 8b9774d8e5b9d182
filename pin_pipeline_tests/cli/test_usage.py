"""Options that every command has: `-h`, `--help` and `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pin_pipeline.cli.app import app

WITHOUT_DATA = {"dev"}
"""Commands that print no data: `dev` shows a log until Ctrl-C."""


def paths(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words that call each command and each group of commands, hidden ones too."""
    yield path
    for name, subcommand in getattr(command, "commands", {}).items():
        yield from paths(subcommand, *path, name)


def find(path: tuple[str, ...]) -> Any:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    return command


PATHS = [*paths(typer.main.get_command(app))]
COMMANDS = [path for path in PATHS if not hasattr(find(path), "commands")]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_has_a_short_and_a_long_help_option(path: tuple[str, ...]) -> None:
    results = [CliRunner().invoke(app, [*path, option], prog_name="pin-pipeline") for option in ("-h", "--help")]
    assert [result.exit_code for result in results] == [0, 0]
    assert results[0].stdout == results[1].stdout
    assert f"Usage: {' '.join(['pin-pipeline', *path])}" in results[0].stdout
    assert find(path).help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_that_prints_data_can_print_json(path: tuple[str, ...]) -> None:
    options = [option for parameter in find(path).params for option in parameter.opts]
    assert ("--json" in options) is (" ".join(path) not in WITHOUT_DATA)


def test_all_commands_are_found() -> None:
    assert {("dev",), ("reconcile",), ("audit",), ("streams", "status"), ("source", "load")} < {*COMMANDS}
    assert len(COMMANDS) >= 20


def test_version_is_that_of_the_distribution() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"pin-pipeline {version('pin-pipeline')}\n")
