"""Records as Spark judges them, made without Spark."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pin_pipeline.quarantine.rejected_rows import PROBLEM
from pin_pipeline.reconciliation.reference_rules import schema
from pin_pipeline.records import PIN
from pin_pipeline.records.rules import Rejected, Validator

MOMENT = pa.timestamp("us", "UTC")
STREAM = [
    ("source_stream", pa.string()),
    ("source_shard", pa.string()),
    ("source_sequence_number", pa.string()),
    ("arrived_at", MOMENT),
]
TOPIC = [
    ("source_topic", pa.string()),
    ("source_partition", pa.int32()),
    ("source_offset", pa.int64()),
    ("posted_at", MOMENT),
    ("original", pa.binary()),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def of_stream(records: Iterable[tuple[str, str, bytes]]) -> pa.Table:
    """Pins of a stream, each by its shard, its sequence number and its bytes."""
    names = [name for name, _ in STREAM]
    rows = [dict(zip(names, ("s", *place, NOON), strict=True)) | _outcome(value) for *place, value in records]
    return _table(rows, STREAM)


def of_topic(records: Iterable[tuple[int, bytes]]) -> pa.Table:
    """Pins of a topic's only partition, each by its offset and its bytes."""
    names = [name for name, _ in TOPIC]
    rows = [dict(zip(names, ("t", 0, offset, NOON, value), strict=True)) | _outcome(value) for offset, value in records]
    return _table(rows, TOPIC)


def _outcome(value: bytes) -> dict[str, Any]:
    outcome = Validator(PIN).validate(value)
    if isinstance(outcome, Rejected):
        return {"bytes": value, "rejection": outcome._asdict()}
    return dict(zip((column.name for column in PIN.columns), outcome.row, strict=True))


def _table(rows: list[dict[str, Any]], position: list[tuple[str, pa.DataType]]) -> pa.Table:
    return pa.Table.from_pylist(
        rows, pa.schema([*position, ("bytes", pa.binary()), ("rejection", PROBLEM), *schema(PIN)])
    )
