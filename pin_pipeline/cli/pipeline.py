"""Commands that run or check single steps of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from pin_pipeline import backends
from pin_pipeline.cli.console import console, rows_table
from pin_pipeline.reconciliation.findings import StreamFindings, TopicFindings
from pin_pipeline.reconciliation.stream import reconcile_configured_stream
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

app = typer.Typer()

COUNTS = ("landed", "published", "superseded", "quarantined", "waiting")


@app.command()
def land(
    fill_gaps: Annotated[bool, typer.Option(help="Also land missing records between landed objects again.")] = False,
) -> None:
    """Land the topics on S3 up to their current end offsets."""
    settings = Settings.load()
    for record_type in RECORD_TYPES:
        topic = settings.topic(record_type)
        result = backends.land(settings, topic, fill_gaps=fill_gaps)
        console.print(f"{topic}: {result.records} new records in {result.objects} objects")
        for key in result.foreign:
            console.print(f"{topic}: skipped {key}, which is not a landed object: remove it")


@app.command()
def reconcile() -> None:
    """Verify that every record is published, superseded or quarantined; exit code 1 if one is not."""
    settings = Settings.load()
    table = Table("topic or stream", *COUNTS, "discrepancies")
    sentences = []
    for source, findings in _findings(settings):
        table.add_row(source, *(str(findings.total(name)) for name in COUNTS), str(len(findings.discrepancies)))
        sentences += [f"{source}, {sentence}" for sentence in findings.sentences()]
    console.print(table)
    for sentence in sentences:
        console.print(sentence)
    if sentences:
        raise typer.Exit(1)


app.command("audit", hidden=True, help="Former name of `reconcile`.")(reconcile)


def _findings(settings: Settings) -> Iterator[tuple[str, TopicFindings | StreamFindings]]:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    for record_type in RECORD_TYPES.values():
        topic = settings.topic(record_type.name)
        with console.status(f"reconciling topic {topic} ..."):
            yield topic, reconcile_topic(record_type, topic, settings.kafka, lake, store)
    for record_type in RECORD_TYPES.values():
        with console.status(f"reconciling the stream of {record_type.name} records ..."):
            yield reconcile_configured_stream(record_type, settings)


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Such as cleaned/pin, quarantine/geo or queries/users_joined_by_year.")],
    rows: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 20,
) -> None:
    """Print rows of a Delta table."""
    snapshot = Lake.of(Settings.load()).load(table)
    head = snapshot.query(f"select * from t limit {rows}")  # noqa: S608 - a number
    console.print(rows_table(head.to_pylist()))
