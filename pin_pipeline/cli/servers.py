"""Commands for the local servers and the Dagster UI."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pin_pipeline.aws.clients import LOCAL_CREDENTIALS
from pin_pipeline.cli.console import Timings, console, progress, stage
from pin_pipeline.cli.rows import Json, print_json, print_line, print_rows
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local import dagster_ui, ports, servers
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.settings import Environment, LocalSettings, Settings

app = typer.Typer()

TICK_WITHOUT_REQUESTS = re.compile(
    r"dagster\.daemon\.SensorDaemon - \S*INFO\S* - "
    r"(Checking for new runs for sensor: |Sensor \S+ skipped: |No run requests returned for )"
)
"""Lines that Dagster's daemon logs every 30 seconds about a sensor that requests nothing; it logs changes itself."""


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Preferred port of the UI; if it is in use, another one.")] = 3000,
) -> None:
    """Start the servers and the Dagster UI until Ctrl-C; stops what it started."""
    local = LocalSettings.load()
    process = ServerProcess(local.home, servers.UI)
    with dagster_ui.only_session(local), running_servers([]) as settings:
        process.stop()  # its session was killed
        with stage([], "source database"):
            synthetic.fill_if_empty(SourceDatabase.of(settings))
        server = dagster_ui.server(settings, ports.choose("ui", local.ui_port, [port]))
        try:
            process.start(server)
            process.wait_until_ready(server)
            servers.record_ui(server.address)
            rows = {"Dagster UI": server.address}
            rows |= {state.name: state.address for state in servers.status() if state.name != servers.UI}
            print_rows([{"server": name, "address": address} for name, address in rows.items()])
            print_line("Ctrl-C stops everything")
            for line in process.follow():
                if not TICK_WITHOUT_REQUESTS.search(line):
                    print(line, end="", flush=True)
            raise LocalError(f"the Dagster UI exited: see {process.log}")
        except KeyboardInterrupt:
            console.print("\nstopping ...")
        finally:
            with uninterrupted():
                process.stop()


@app.command()
def up(as_json: Json = False) -> None:
    """Start the local servers that are not running, with their topics and bucket."""
    with stage([], "servers"):
        servers.up()
    status(as_json=as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the streaming jobs and the local servers; their data stays."""
    stopped = servers.down()
    if as_json:
        print_json({"stopped": stopped})
    else:
        print_line(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status(as_json: Json = False) -> None:
    """Show the local servers; exit code 1 unless all are running."""
    states = servers.status()
    rows = [
        {"server": state.name, "state": "up" if state.alive else "down", "address": state.address} for state in states
    ]
    if as_json:
        print_json([row | {"log": state.process.log} for row, state in zip(rows, states, strict=True)])
    else:
        print_rows(rows)
        console.print()
        print_line(f"logs: {states[0].process.log.parent}")
    if not all(state.alive for state in states):
        raise typer.Exit(1)


@app.command()
def env(as_json: Json = False) -> None:
    """Print the settings as shell commands, for `eval "$(pin-pipeline env)"`."""
    settings = Settings.load()
    variables = settings.variables()
    if settings.environment is Environment.LOCAL:
        credentials = {name.upper(): value for name, value in LOCAL_CREDENTIALS.items()}
        # Dagster refuses a DAGSTER_HOME that does not exist, so this creates it.
        variables = credentials | variables | dagster_ui.dagster_variables(settings.home)
    if as_json:
        print_json(variables)
        return
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
            progress.print(f"{', '.join(before)} keep running; `pin-pipeline down` stops them")


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
