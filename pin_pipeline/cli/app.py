"""What a person does by hand: `pin-pipeline --help`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pin_pipeline import settings as environment
from pin_pipeline.aws.errors import AwsError
from pin_pipeline.cli import demo as whole_pipeline
from pin_pipeline.cli import demo_streams, streams
from pin_pipeline.databricks.errors import WorkspaceError
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.emulator import emulate as post_draws
from pin_pipeline.emulator.emulator import pace_of
from pin_pipeline.emulator.files import RowError
from pin_pipeline.emulator.gateway_client import Gateway, GatewayError
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.signing import SigningError
from pin_pipeline.emulator.sinks import Target, sink_of
from pin_pipeline.emulator.source import SourceDatabase, SourceError
from pin_pipeline.kafka.topics import TopicError
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.landing.topic_reader import LandingError
from pin_pipeline.local import orchestrator, ports, servers
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.quarantine.reader import Quarantine, QuarantineError, RecordId
from pin_pipeline.quarantine.summary import SOURCES
from pin_pipeline.reconciliation.findings import StreamFindings, TopicFindings
from pin_pipeline.reconciliation.stream import reconcile_stream_of
from pin_pipeline.reconciliation.topic import ReconciliationError, reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import Reason
from pin_pipeline.settings import SettingError, Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore, StoreError
from pin_pipeline.streaming.jobs import UnknownStreamingJobError
from pin_pipeline.streaming.supervision.heartbeat import HeartbeatError

EXPECTED = (
    LocalError,
    QuarantineError,
    SettingError,
    AwsError,
    TopicError,
    ReconciliationError,
    SourceError,
    RowError,
    GatewayError,
    SigningError,
    LandingError,
    StoreError,
    UnknownStreamingJobError,
    HeartbeatError,
    WorkspaceError,
    OSError,
)
ENVIRONMENT = (*environment.DEFAULTS, "PIN_SOURCE_URL")

app = typer.Typer(
    help="Pinterest's data system on this machine: local servers, sources, and the steps of the pipeline by hand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
source = typer.Typer(help="Fill the source database that posts are drawn from.", no_args_is_help=True)
app.add_typer(source, name="source")
quarantine = typer.Typer(help="Look at the records that do not fit, and have them judged again.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")
app.add_typer(streams.app, name="streams")
console = Console(highlight=False)

DrawCount = Annotated[int, typer.Option(min=0, help="How many posts to draw.")]
RowFile = Annotated[
    Path | None, typer.Option(help="JSON lines, or CSV where it is named so.", exists=True, dir_okay=False)
]


def main() -> None:
    """Run a command; what was to be expected to go wrong is one sentence and exit code 1."""
    # A shell that starts us in the background would have us, and what we start, be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    logging.getLogger("pin_pipeline").setLevel(logging.INFO)
    logging.getLogger("pin_pipeline").addHandler(logging.StreamHandler())
    try:
        app()
    except EXPECTED as error:
        print(f"pin-pipeline: {error}", file=sys.stderr)
        sys.exit(1)


@app.command()
def demo(draws: DrawCount = 1000) -> None:
    """Run the whole pipeline once and print the answers; stops the servers that it started."""
    timings: whole_pipeline.Timings = []
    with _servers(timings) as settings:
        steps = whole_pipeline.run(console, settings, timings, draws)
        demo_streams.run(console, settings, timings)
        whole_pipeline.show_timings(console, timings, steps)
    console.print("\n[bold]make dev[/bold] starts the servers and the Dagster UI, where all of this is to be seen.")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the UI; where it is taken, any other.")] = 3000,
) -> None:
    """Start the servers and the Dagster UI, until Ctrl-C; stops what it started."""
    process = ServerProcess(environment.home(), "dagster")
    process.stop()
    server = orchestrator.server(environment.home(), ports.choose("PIN_UI_PORT", [port]))
    with _servers([]):
        try:
            process.start(server)
            process.wait_until_ready(server)
            console.print(f"\nDagster UI: [bold]{server.address}[/bold]  (Ctrl-C stops everything)\n")
            for line in process.follow():
                print(line, end="", flush=True)
            raise LocalError(f"the Dagster UI ended by itself: see {process.log}")
        except KeyboardInterrupt:
            console.print("\nstopping ...")
        finally:
            process.stop()


@app.command()
def up() -> None:
    """Start the local servers that do not run, with their topics and bucket."""
    with whole_pipeline.stage(console, [], "servers"):
        servers.up()
    status()


@app.command()
def down() -> None:
    """Stop the streaming jobs and the local servers; their data stays."""
    stopped = servers.down()
    console.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
def status() -> None:
    """Show the local servers; exit code 1 unless all of them run."""
    states = servers.status()
    table = Table("server", "state", "address", "log")
    for state in states:
        table.add_row(state.name, "up" if state.alive else "down", state.address, os.path.relpath(state.process.log))
    console.print(table)
    if not all(state.alive for state in states):
        raise typer.Exit(1)


@app.command()
def env() -> None:
    """Print the environment variables that lead to the servers, for `eval "$(pin-pipeline env)"`."""
    environment.load()
    for name in ENVIRONMENT:
        print(f"export {name}={os.environ[name]!r}")


@source.command()
def fill() -> None:
    """Store the synthetic rows, 11,154 a table; rows of the same keys are replaced."""
    database = SourceDatabase(environment.load().source_url)
    synthetic.fill(database)
    _print_counts(database)


@source.command()
def load(pin: RowFile = None, geo: RowFile = None, user: RowFile = None) -> None:
    """Store rows of files; rows of the same keys are replaced."""
    database = SourceDatabase(environment.load().source_url)
    for record_type, path in {"pin": pin, "geo": geo, "user": user}.items():
        if path is not None:
            database.load_file(record_type, path)
    _print_counts(database)


@app.command()
def emulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    draws: DrawCount = 1000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same posts.")] = Draws.seed,
    first_row: Annotated[int, typer.Option(min=0, help="Draw from this row on.")] = 0,
    last_row: Annotated[
        int | None, typer.Option(min=0, help="Draw up to this row; by default 11,000, or in --sequence the last.")
    ] = None,
    sequence: Annotated[bool, typer.Option("--sequence", help="Every row once, instead of draws at random.")] = False,
    endless: Annotated[bool, typer.Option("--endless", help="Go on until Ctrl-C.")] = False,
    paced: Annotated[bool, typer.Option("--paced", help="Wait 0 or 1 s before each post, as people do.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Draw so many posts a second at most.")] = None,
    to: Annotated[Target, typer.Option(help="Where the records go.")] = Target.KAFKA,
    folder: Annotated[Path, typer.Option(help="Of the files that `--to files` adds to.")] = Path("emulated"),
) -> None:
    """Draw posts from the source database and send them to the gateway, to files or to the console."""
    settings = environment.load()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    how_many = None if endless or sequence else draws
    progress = Console(stderr=True, highlight=False)
    with Gateway(settings.gateway_url) as gateway, progress.status("posting ...") as shown:
        counts = post_draws(
            SourceDatabase(settings.source_url),
            sink_of(to, settings, gateway, sys.stdout, folder),
            Draws(how_many, seed, first_row, last_row, sequence),
            lambda posted: shown.update(f"{posted} draws posted"),
            pace=pace_of(rate, paced=paced),
            stop=stop,
        )
    closing = progress if to is Target.CONSOLE else console
    for record_type, count in counts.items():
        closing.print(f"{record_type}: {count.sent} sent = {count.acknowledged} acknowledged + {count.refused} refused")
    if any(count.refused for count in counts.values()):
        raise typer.Exit(1)


@app.command()
def land(
    fill_gaps: Annotated[bool, typer.Option(help="Also land again what is missing between landed objects.")] = False,
) -> None:
    """Land the topics on S3 up to their ends of now."""
    settings = environment.load()
    for record_type in RECORD_TYPES:
        store, topic = ObjectStore.of(settings), settings.topic(record_type)
        landed = land_topic(settings.kafka, store, topic, fill_gaps=fill_gaps)
        console.print(f"{settings.topic(record_type)}: {landed.records} new records in {landed.objects} objects")


@app.command()
def audit() -> None:
    """Prove of every record that it is published, superseded or quarantined; exit code 1 if one is not."""
    settings = environment.load()
    names = ("landed", "published", "superseded", "quarantined", "waiting")
    table = Table("topic or stream", *names, "defects")
    defects = []
    for source, findings in _audits(settings):
        table.add_row(source, *(str(findings.total(name)) for name in names), str(len(findings.defects)))
        defects += [f"{source}, {sentence}" for sentence in findings.sentences()]
    console.print(table)
    for sentence in defects:
        console.print(sentence)
    if defects:
        raise typer.Exit(1)


def _audits(settings: Settings) -> Iterator[tuple[str, TopicFindings | StreamFindings]]:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    for record_type in RECORD_TYPES.values():
        topic = settings.topic(record_type.name)
        with console.status(f"auditing topic {topic} ..."):
            yield topic, reconcile_topic(record_type, topic, settings.kafka, lake, store)
    for record_type in RECORD_TYPES.values():
        with console.status(f"auditing the stream of {record_type.name} records ..."):
            yield reconcile_stream_of(record_type, settings)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Such as cleaned/pin, quarantine/geo or queries/users_joined_by_year.")],
    rows: Annotated[int, typer.Option(min=1, help="How many rows at most.")] = 20,
) -> None:
    """Print rows of a table of the lake."""
    lake = Lake.of(environment.load())
    there = lake.snapshot(table)
    if there is None:
        raise LocalError(f"there is no table {table} at {lake.path(table)}: materialize it first, or look at its name")
    head = there.query(f"select * from t limit {rows}")  # noqa: S608 - a number
    console.print(whole_pipeline.as_text(head.to_pylist()))


@app.command()
def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
) -> None:
    """Bring the streaming jobs on Databricks to what the project says; new ones are paused until they are started."""
    from pin_pipeline.cli import deploy  # noqa: PLC0415 - takes longer to import than most commands to run

    deploy.deploy(console, dry_run=dry_run)


@quarantine.command("list")
def list_quarantine(
    record_type: Annotated[str | None, typer.Option(help="Only this kind: pin, geo or user.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of a kind at most, the latest first.")] = 20,
) -> None:
    """List records in quarantine, of the topics and of the streams."""
    if record_type is not None and record_type not in RECORD_TYPES:
        raise LocalError(f"there are no {record_type!r} records; expected {', '.join(RECORD_TYPES)}")
    lake = Lake.of(environment.load())
    of_record_types = [of(lake, name) for of in SOURCES for name in ([record_type] if record_type else RECORD_TYPES)]
    for misfits in of_record_types:
        for row in misfits.records([reason] if reason else list(Reason), limit):
            what = " ".join(filter(None, (row["reason"], row["field"], row["value"])))
            line = f"{misfits.identity(row)}  {row['first_seen']:%Y-%m-%d %H:%M}  {what}"
            console.print(line, soft_wrap=True, markup=False)


@quarantine.command("show")
def show_quarantined(
    record: Annotated[str, typer.Argument(help="As `list` names it, such as pin/0/17.")],
) -> None:
    """Show one record in quarantine, with its bytes."""
    identity = RecordId.parse(record)
    row = Quarantine.with_record(Lake.of(environment.load()), identity).find(identity)
    for name, value in row.items():
        text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
        console.print(f"{name}: {text}", soft_wrap=True, markup=False)


@quarantine.command("replay")
def replay_quarantine() -> None:
    """Judge the topics' records in quarantine by the rules of today, and publish those that fit by now."""
    settings = environment.load()
    lake = Lake.of(settings)
    before = {record_type: Quarantine.of_topic(lake, record_type).count() for record_type in RECORD_TYPES}
    with console.status("job replay_quarantine ..."):
        orchestrator.run_job(settings.home, "replay_quarantine", {})
    for record_type, records in before.items():
        after = Quarantine.of_topic(lake, record_type).count()
        console.print(f"{record_type}: {records - after} of {records} records came out of quarantine, {after} stay")


@contextmanager
def _servers(timings: whole_pipeline.Timings) -> Iterator[Settings]:
    """Servers that run; those that did not run before are stopped at the end."""
    before = servers.running()
    try:
        with whole_pipeline.stage(console, timings, "servers"):
            settings = servers.up()
        yield settings
    finally:
        servers.down(keep=before)
        if before:
            console.print(f"{', '.join(before)} ran before and goes on; `pin-pipeline down` stops it")


def _print_counts(database: SourceDatabase) -> None:
    for record_type in RECORD_TYPES.values():
        console.print(f"{record_type.source_table}: {database.count(record_type.name)} rows")
