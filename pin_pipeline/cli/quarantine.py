"""Commands for quarantined records."""

from __future__ import annotations

from typing import Annotated

import typer

from pin_pipeline.cli.console import progress
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.cli.rows import Json, Row, print_fields, print_json, print_rows
from pin_pipeline.quarantine.reader import Quarantine, QuarantineError, RecordId
from pin_pipeline.quarantine.summary import SOURCES
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.reasons import Reason
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

app = typer.Typer(help="List, show and replay rejected records.", no_args_is_help=True)


@app.command("list")
def list_records(
    record_type: Annotated[
        str | None, typer.Option("--record-type", "--kind", help="Only this record type: pin, geo or user.")
    ] = None,
    reason: Annotated[Reason | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of records per type, the latest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the quarantined records of the topics and of the streams."""
    if record_type is not None and record_type not in RECORD_TYPES:
        raise QuarantineError(f"invalid record type {record_type!r}: expected {', '.join(RECORD_TYPES)}")
    lake = Lake.of(Settings.load())
    selected = [record_type] if record_type else list(RECORD_TYPES)
    rows = [
        _summary(quarantine.identity(row), row)
        for quarantine in [open_source(lake, name) for open_source in SOURCES for name in selected]
        for row in quarantine.records([reason] if reason else list(Reason), limit)
    ]
    print_rows(rows, as_json=as_json)


def _summary(record: RecordId, row: Row) -> Row:
    details = {name: row[name] for name in ("reason", "field", "value")}
    return {"record": str(record), "first_seen": row["first_seen"].replace(microsecond=0), **details}


@app.command()
def show(
    record: Annotated[str, typer.Argument(help="As `list` names it, such as pin/0/17.")],
    as_json: Json = False,
) -> None:
    """Show one quarantined record with its bytes."""
    identity = RecordId.parse(record)
    row = Quarantine.with_record(Lake.of(Settings.load()), identity).find(identity)
    if as_json:
        print_json(row)
    else:
        print_fields(row)


@app.command()
def replay(as_json: Json = False) -> None:
    """Validate the topics' quarantined records by the current rules, and publish those that are accepted."""
    settings = Settings.load()
    lake = Lake.of(settings)
    before = {record_type: Quarantine.of_topic(lake, record_type).count() for record_type in RECORD_TYPES}
    with progress.status("job replay_quarantine ..."):
        run_job(settings, "replay_quarantine", {})
    after = {record_type: Quarantine.of_topic(lake, record_type).count() for record_type in RECORD_TYPES}
    rows = [
        {"record_type": record_type, "published": before[record_type] - still, "still_in_quarantine": still}
        for record_type, still in after.items()
    ]
    print_rows(rows, as_json=as_json)
