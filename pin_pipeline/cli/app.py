"""All commands of `pin-pipeline`."""

from __future__ import annotations

from typing import Annotated

import typer

from pin_pipeline.cli import demo, emulate, pipeline, quarantine, servers, streams
from pin_pipeline.cli.console import console

app = typer.Typer(
    help="Run Pinterest's data system: local servers, source data, and single steps of the pipeline.",
    epilog="Exit codes: 0 success, 1 failure or findings, 2 incorrect usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (demo.app, servers.app, emulate.app, pipeline.app):
    app.add_typer(commands)
app.add_typer(emulate.source, name="source")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(streams.app, name="streams")


@app.command()
def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Create or update the streaming jobs on Databricks; new ones are paused until they are started."""
    from pin_pipeline.cli import deploy as databricks  # noqa: PLC0415 - the Databricks SDK takes a second to import

    databricks.deploy(console, dry_run=dry_run)
