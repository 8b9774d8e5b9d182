"""Classified records as Spark returns them, created without Spark."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pin_pipeline.quarantine.rejected_rows import REJECTION_TYPE
from pin_pipeline.reconciliation.reference_rules import published_schema
from pin_pipeline.records import PIN
from pin_pipeline.records.rules import Rejected, Validator

TIMESTAMP = pa.timestamp("us", "UTC")
STREAM = [
    ("source_stream", pa.string()),
    ("source_shard", pa.string()),
    ("source_sequence_number", pa.string()),
    ("arrived_at", TIMESTAMP),
]
TOPIC = [
    ("source_topic", pa.string()),
    ("source_partition", pa.int32()),
    ("source_offset", pa.int64()),
    ("posted_at", TIMESTAMP),
    ("original", pa.binary()),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def classify_stream_records(records: Iterable[tuple[str, str, bytes]]) -> pa.Table:
    """Classify pins of a stream, each given by its shard, sequence number and bytes."""
    names = [name for name, _ in STREAM]
    rows = [dict(zip(names, ("s", *position, NOON), strict=True)) | _classify(value) for *position, value in records]
    return _table(rows, STREAM)


def classify_topic_records(records: Iterable[tuple[int, bytes]]) -> pa.Table:
    """Classify pins of the only partition of a topic, each given by its offset and bytes."""
    names = [name for name, _ in TOPIC]
    rows = [
        dict(zip(names, ("t", 0, offset, NOON, value), strict=True)) | _classify(value) for offset, value in records
    ]
    return _table(rows, TOPIC)


def _classify(value: bytes) -> dict[str, Any]:
    outcome = Validator(PIN).validate(value)
    if isinstance(outcome, Rejected):
        return {"bytes": value, "rejection": outcome._asdict()}
    return dict(zip((column.name for column in PIN.columns), outcome.row, strict=True))


def _table(rows: list[dict[str, Any]], position: list[tuple[str, pa.DataType]]) -> pa.Table:
    return pa.Table.from_pylist(
        rows, pa.schema([*position, ("bytes", pa.binary()), ("rejection", REJECTION_TYPE), *published_schema(PIN)])
    )
