"""Putting records on S3 as landing would, and reading what became of them, for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_format import TopicRecord, chunks
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

Row = dict[str, Any]


def put(
    settings: Settings,
    record_type: str,
    values: Sequence[Any],
    *,
    first: int = 0,
    partition: int = 0,
    size: int = 20_000,
) -> None:
    """Put values at consecutive offsets, `size` records an object; bytes and None as they are, the rest as JSON."""
    store = ObjectStore.of(settings)
    raw = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    for chunk in chunks([TopicRecord(offset, 0, value) for offset, value in enumerate(raw, first)], size):
        name = ObjectName(chunk.area, settings.topic(record_type), partition, chunk.first_offset)
        assert store.put_once(name, chunk.body)


def run_clean(
    settings: Settings, session: Callable[[], SparkSession], *record_types: str | RecordType, replay: bool = False
) -> dict[str, Report]:
    """Clean kinds, given by their names or definitions; all of them where none is given."""
    reports = clean_topics(
        session, Lake.of(settings), ObjectStore.of(settings), topics(settings, *record_types), replay=replay
    )
    return {report.key: report for report in reports}


def topics(settings: Settings, *record_types: str | RecordType) -> dict[str, RecordType]:
    """The topic of each kind, as cleaning wants them."""
    definitions = [
        RECORD_TYPES[record_type] if isinstance(record_type, str) else record_type
        for record_type in record_types or RECORD_TYPES
    ]
    return {settings.topic(definition.name): definition for definition in definitions}


def redefined(record_type: RecordType, field: str, **changes: Any) -> RecordType:
    """A kind of which one field was changed."""
    fields = tuple(replace(each, **changes) if each.name == field else each for each in record_type.fields)
    return replace(record_type, fields=fields)


def table(settings: Settings, key: str, sql: str = "select * from t") -> list[Row]:
    """The rows of a table, read by another Delta reader than the one that wrote them."""
    rows: list[Row] = Lake.of(settings).existing(key).query(sql).to_pylist()
    return rows


def totals(report: Report) -> tuple[Any, ...]:
    """Landed, published, superseded, quarantined and unreconciled records."""
    return tuple(report.metadata[name] for name in ("landed", "published", "superseded", "quarantined", "unreconciled"))
