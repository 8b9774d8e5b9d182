"""Commands for the local servers and the Dagster UI."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from pin_pipeline.aws.clients import LOCAL_CREDENTIALS
from pin_pipeline.cli.console import Timings, console, stage
from pin_pipeline.local import dagster_ui, ports, servers
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.settings import Environment, LocalSettings, Settings

app = typer.Typer()


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Preferred port of the UI; if it is in use, another one.")] = 3000,
) -> None:
    """Start the servers and the Dagster UI until Ctrl-C; stops what it started."""
    local = LocalSettings.load()
    process = ServerProcess(local.home, servers.UI)
    with dagster_ui.only_session(local), running_servers([]) as settings:
        process.stop()  # its session was killed
        server = dagster_ui.server(settings, ports.choose("ui", local.ui_port, [port]))
        try:
            process.start(server)
            process.wait_until_ready(server)
            servers.record_ui(server.address)
            console.print(f"\nDagster UI: [bold]{server.address}[/bold]  (Ctrl-C stops everything)\n")
            for line in process.follow():
                print(line, end="", flush=True)
            raise LocalError(f"the Dagster UI exited: see {process.log}")
        except KeyboardInterrupt:
            console.print("\nstopping ...")
        finally:
            with uninterrupted():
                process.stop()


@app.command()
def up() -> None:
    """Start the local servers that are not running, with their topics and bucket."""
    with stage([], "servers"):
        servers.up()
    status()


@app.command()
def down() -> None:
    """Stop the streaming jobs and the local servers; their data stays."""
    stopped = servers.down()
    console.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status() -> None:
    """Show the local servers; exit code 1 unless all are running."""
    states = servers.status()
    table = Table("server", "state", "address", "log")
    for state in states:
        table.add_row(state.name, "up" if state.alive else "down", state.address, os.path.relpath(state.process.log))
    console.print(table)
    if not all(state.alive for state in states):
        raise typer.Exit(1)


@app.command()
def env() -> None:
    """Print the settings as shell commands, for `eval "$(pin-pipeline env)"`."""
    settings = Settings.load()
    variables = settings.variables()
    if settings.environment is Environment.LOCAL:
        variables = {name.upper(): value for name, value in LOCAL_CREDENTIALS.items()} | variables
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


@contextmanager
def running_servers(timings: Timings) -> Iterator[Settings]:
    """Provide running servers; those that were not running before are stopped at the end."""
    before = servers.running()
    try:
        with stage(timings, "servers"):
            settings = servers.up()
        yield settings
    finally:
        with uninterrupted():
            servers.down(keep=before)
        if before:
            console.print(f"{', '.join(before)} keep running; `pin-pipeline down` stops them")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C and the end of the terminal during the block, which stops processes."""
    handlers = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
