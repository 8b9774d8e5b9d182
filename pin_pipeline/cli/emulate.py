"""Commands that fill the source database and post from it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from pin_pipeline.cli.console import console, progress, row_progress
from pin_pipeline.cli.rows import Json, print_json, print_line
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.delimited import Dialect
from pin_pipeline.emulator.emulator import create_pace
from pin_pipeline.emulator.emulator import emulate as post_draws
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import LAST_ROW, Draws
from pin_pipeline.emulator.sinks import Target, create_sink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.emulator.source_tables import LoadCounts
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings

app = typer.Typer()
source = typer.Typer(help="Fill the source database that posts are drawn from.", no_args_is_help=True)

RowFile = Annotated[
    Path | None,
    typer.Option(help="JSON lines, or CSV if the name ends with .csv or .tsv.", exists=True, dir_okay=False),
]


@source.command()
def fill(as_json: Json = False) -> None:
    """Store the synthetic rows, 11,154 per table; rows with the same keys are replaced."""
    database = SourceDatabase.of(Settings.load())
    loaded = {}
    for name, record_type in RECORD_TYPES.items():
        with row_progress(f"storing synthetic rows in {record_type.source_table}") as update:
            loaded[name] = database.load(name, synthetic.rows(name), update)
    _print_counts(database, loaded, as_json=as_json)


@source.command()
def load(
    pin: RowFile = None,
    geo: RowFile = None,
    user: RowFile = None,
    dialect: Annotated[
        Dialect | None, typer.Option(help="Dialect of CSV files; default: recognized by content.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Store the rows of files; rows with the same keys are replaced. A file with an invalid row is not stored."""
    files = {name: path for name, path in {"pin": pin, "geo": geo, "user": user}.items() if path is not None}
    if not files:
        raise typer.BadParameter("no file to load: name at least one with --pin, --geo or --user")
    database = SourceDatabase.of(Settings.load())
    loaded = {}
    for name, path in files.items():
        with row_progress(f"loading {path} into {RECORD_TYPES[name].source_table}") as update:
            loaded[name] = database.load_file(name, path, dialect, update)
    _print_counts(database, loaded, as_json=as_json)


@app.command()
def emulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    draws: Annotated[int, typer.Option(min=0, help="Number of posts to draw.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same posts.")] = Draws.seed,
    first_row: Annotated[int, typer.Option(min=0, help="First row to draw from.")] = 0,
    last_row: Annotated[
        int | None, typer.Option(min=0, help="Last row to draw from; default 11,000, or the last one with --sequence.")
    ] = None,
    sequence: Annotated[bool, typer.Option("--sequence", help="Post every row once instead of random draws.")] = False,
    endless: Annotated[bool, typer.Option("--endless", help="Post until Ctrl-C.")] = False,
    paced: Annotated[bool, typer.Option("--paced", help="Wait 0 or 1 s before each post, as people do.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Maximum number of draws per second.")] = None,
    to: Annotated[Target, typer.Option(help="Where the records go.")] = Target.KAFKA,
    folder: Annotated[Path, typer.Option(help="Folder of the files that `--to files` appends to.")] = Path("emulated"),
    as_json: Json = False,
) -> None:
    """Draw posts from the source database and send them to the gateway, to files or to the console."""
    if as_json and to is Target.CONSOLE:
        raise typer.BadParameter("--json cannot be combined with --to console, which prints the records as JSON")
    last = last_row if sequence or last_row is not None else LAST_ROW
    if last is not None and first_row > last:
        raise typer.BadParameter(f"the first row, {first_row}, is after the last row, {last}")
    settings = Settings.load()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Gateway.of(settings) as gateway, progress.status("posting ...") as shown:
        counts = post_draws(
            SourceDatabase.of(settings),
            create_sink(to, settings, gateway, sys.stdout, folder),
            Draws(None if endless or sequence else draws, seed, first_row, last_row, sequence),
            lambda posted: shown.update(f"{posted} draws posted"),
            pace=create_pace(rate, paced=paced),
            stop=stop,
        )
    summary = progress if to is Target.CONSOLE else console
    if as_json:
        print_json(counts)
    else:
        for name, count in counts.items():
            summary.print(f"{name}: {count.sent} sent = {count.acknowledged} acknowledged + {count.refused} refused")
    if any(count.refused for count in counts.values()):
        raise typer.Exit(1)


def _print_counts(database: SourceDatabase, loaded: Mapping[str, LoadCounts], *, as_json: bool) -> None:
    counts = {
        RECORD_TYPES[name].source_table: {"rows": database.count(name), **asdict(count), "rejected": 0}
        for name, count in loaded.items()
    }
    if as_json:
        print_json(counts)
        return
    for table, count in counts.items():
        rows, *others = (f"{number} {name}" for name, number in count.items())
        print_line(f"{table}: {rows} ({', '.join(others)})")
