"""Putting records on S3 as landing would, and reading what became of them, for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.clean import clean
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.report import Report
from pin_pipeline.landing.chunks import Record, chunks
from pin_pipeline.landing.names import ObjectName
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import KINDS, RecordKind

Row = dict[str, Any]


def put(
    settings: Settings, kind: str, values: Sequence[Any], *, first: int = 0, partition: int = 0, size: int = 20_000
) -> None:
    """Put values at consecutive offsets, `size` records an object; bytes and None as they are, the rest as JSON."""
    store = ObjectStore.of(settings)
    raw = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    for chunk in chunks([Record(offset, 0, value) for offset, value in enumerate(raw, first)], size):
        name = ObjectName(chunk.area, settings.topic(kind), partition, chunk.first_offset)
        assert store.put_once(name, chunk.body)


def run_clean(
    settings: Settings, session: Callable[[], SparkSession], *kinds: str | RecordKind, replay: bool = False
) -> dict[str, Report]:
    """Clean kinds, given by their names or definitions; all of them where none is given."""
    reports = clean(session, Lake.of(settings), ObjectStore.of(settings), topics(settings, *kinds), replay=replay)
    return {report.key: report for report in reports}


def topics(settings: Settings, *kinds: str | RecordKind) -> dict[str, RecordKind]:
    """The topic of each kind, as cleaning wants them."""
    definitions = [KINDS[kind] if isinstance(kind, str) else kind for kind in kinds or KINDS]
    return {settings.topic(definition.name): definition for definition in definitions}


def redefined(kind: RecordKind, field: str, **changes: Any) -> RecordKind:
    """A kind of which one field was changed."""
    fields = tuple(replace(each, **changes) if each.name == field else each for each in kind.fields)
    return replace(kind, fields=fields)


def table(settings: Settings, key: str, sql: str = "select * from t") -> list[Row]:
    """The rows of a table, read by another Delta reader than the one that wrote them."""
    rows: list[Row] = Lake.of(settings).existing(key).query(sql).to_pylist()
    return rows


def totals(report: Report) -> tuple[Any, ...]:
    """Landed, published, superseded, quarantined and unaccounted records."""
    return tuple(report.metadata[name] for name in ("landed", "published", "superseded", "quarantined", "unaccounted"))
