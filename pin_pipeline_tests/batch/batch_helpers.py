"""Helpers for tests of the batch: write objects as landing does, run the cleaning, and read the tables."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.local import s3
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_format import TopicRecord, chunk_records
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
    for chunk in chunk_records([TopicRecord(offset, 0, value) for offset, value in enumerate(raw, first)], size):
        name = ObjectName(chunk.area, settings.topic(record_type), partition, chunk.first_offset)
        assert store.put_once(name, chunk.body)


def run_clean(
    settings: Settings, engine: BatchEngine[Any], *record_types: str | RecordType, replay: bool = False
) -> dict[str, Report]:
    """Clean the topics of record types, given by name or definition; by default all."""
    reports = clean_topics(
        engine, Lake.of(settings), ObjectStore.of(settings), topics(settings, *record_types), replay=replay
    )
    return {report.key: report for report in reports}


def topics(settings: Settings, *record_types: str | RecordType) -> dict[str, RecordType]:
    """Return the topics of record types as the argument of `clean_topics`; by default all."""
    definitions = [
        RECORD_TYPES[record_type] if isinstance(record_type, str) else record_type
        for record_type in record_types or RECORD_TYPES
    ]
    return {settings.topic(definition.name): definition for definition in definitions}


def redefined(record_type: RecordType, field: str, **changes: Any) -> RecordType:
    """Return a record type with one field changed."""
    fields = tuple(replace(each, **changes) if each.name == field else each for each in record_type.fields)
    return replace(record_type, fields=fields)


def table(settings: Settings, key: str, sql: str = "select * from t") -> list[Row]:
    """Read the rows of a table with delta-rs, not with Spark, which wrote them."""
    rows: list[Row] = Lake.of(settings).require(key).query(sql).to_pylist()
    return rows


def totals(report: Report) -> tuple[Any, ...]:
    """Return the numbers of landed, published, superseded, quarantined and unreconciled records."""
    return tuple(report.metadata[name] for name in ("landed", "published", "superseded", "quarantined", "unreconciled"))


def with_new_bucket(settings: Settings) -> Settings:
    """Return settings with a new, empty bucket."""
    separate = settings.model_copy(update={"bucket": f"b{uuid.uuid4().hex[:12]}"})
    s3.create_bucket(separate.s3_endpoint_url, separate.bucket)
    return separate
