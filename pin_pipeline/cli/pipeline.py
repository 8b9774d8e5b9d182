"""Commands that run or check single steps of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

import typer

from pin_pipeline import backends
from pin_pipeline.cli.console import progress
from pin_pipeline.cli.rows import Json, Row, print_json, print_line, print_rows
from pin_pipeline.reconciliation.findings import Findings, StreamFindings, TopicFindings
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
    as_json: Json = False,
) -> None:
    """Land the topics on S3 up to their current end offsets."""
    settings = Settings.load()
    rows: list[Row] = []
    skipped: list[list[str]] = []
    for topic in map(settings.topic, RECORD_TYPES):
        result = backends.land(settings, topic, fill_gaps=fill_gaps)
        rows.append({"topic": topic, "new_records": result.records, "new_objects": result.objects})
        skipped.append(result.foreign)
    if as_json:
        print_json([{**row, "skipped_objects": keys} for row, keys in zip(rows, skipped, strict=True)])
        return
    print_rows(rows)
    for key in chain.from_iterable(skipped):
        print_line(f"skipped {key}, which is not a landed object: remove it")


@app.command()
def reconcile(as_json: Json = False) -> None:
    """Verify that every record is published, superseded or quarantined; exit code 1 if one is not."""
    counts: list[Row] = []
    discrepancies: list[Row] = []
    sentences: list[str] = []
    for source, findings in _findings(Settings.load()):
        totals = {name: findings.total(name) for name in COUNTS}
        counts.append({"source": source, **totals, "discrepancies": len(findings.discrepancies)})
        discrepancies += _discrepancies(source, findings)
        sentences += [f"{source}, {sentence}" for sentence in findings.sentences()]
    if as_json:
        print_json({"counts": counts, "discrepancies": discrepancies})
    else:
        print_rows(counts)
        for sentence in sentences:
            print_line(sentence)
    if sentences:
        raise typer.Exit(1)


app.command("audit", hidden=True, help="Former name of `reconcile`.")(reconcile)


def _findings(settings: Settings) -> Iterator[tuple[str, TopicFindings | StreamFindings]]:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    for record_type in RECORD_TYPES.values():
        topic = settings.topic(record_type.name)
        with progress.status(f"reconciling topic {topic} ..."):
            yield topic, reconcile_topic(record_type, topic, settings.kafka, lake, store)
    for record_type in RECORD_TYPES.values():
        with progress.status(f"reconciling the stream of {record_type.name} records ..."):
            yield reconcile_configured_stream(record_type, settings)


def _discrepancies(source: str, findings: Findings[Any, Any]) -> Iterator[Row]:
    for position, discrepancy_type, detail in sorted(findings.discrepancies):
        yield {"source": source, **position._asdict(), "type": discrepancy_type, "detail": detail}


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Such as cleaned/pin, quarantine/geo or queries/users_joined_by_year.")],
    rows: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 20,
    as_json: Json = False,
) -> None:
    """Print rows of a Delta table."""
    snapshot = Lake.of(Settings.load()).load(table)
    head = snapshot.query(f"select * from t limit {rows}")  # noqa: S608 - a number
    print_rows(head.to_pylist(), as_json=as_json)
