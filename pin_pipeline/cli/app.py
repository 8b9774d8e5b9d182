"""All commands of `pin-pipeline`."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from pin_pipeline.cli import demo, emulate, pipeline, quarantine, servers, streams
from pin_pipeline.cli.rows import Json

app = typer.Typer(
    help="Run Pinterest's data system: local servers, source data, and single steps of the pipeline.",
    epilog="Exit codes: 0 success, 1 failure or findings, 2 incorrect usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (demo.app, servers.app, emulate.app, pipeline.app):
    app.add_typer(commands)
app.add_typer(emulate.source, name="source")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(streams.app, name="streams")


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"pin-pipeline {metadata.version('pin-pipeline')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Define the options of the program itself."""


@app.command()
def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Create or update the streaming jobs on Databricks; new ones are paused until they are started."""
    from pin_pipeline.cli import deploy as databricks  # noqa: PLC0415 - the Databricks SDK takes a second to import

    databricks.deploy(dry_run=dry_run, as_json=as_json)
