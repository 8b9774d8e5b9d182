"""Quarantine rows of the rejected records of a micro-batch."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

REJECTION_TYPE = pa.struct([(name, pa.string()) for name in ("reason", "field", "value")])
"""Arrow type of the column `rejection` of classified records."""


def rejected_rows(records: pa.Table, rejections: pa.StructArray | pa.ChunkedArray, rules_version: str) -> pa.Table:
    """Return rejected records with the columns that describe the rejection; `first_seen` is the current time.

    Args:
        records: rejected records.
        rejections: rejection of each record, of type `REJECTION_TYPE`.
        rules_version: version of the rules that rejected them.
    """
    now = pa.array([datetime.now(UTC)] * records.num_rows, pa.timestamp("us", "UTC"))
    versions = pa.array([rules_version] * records.num_rows, pa.string())
    columns = [*rejections.flatten(), versions, now]
    for name, column in zip(("reason", "field", "value", "rules_version", "first_seen"), columns, strict=True):
        records = records.append_column(name, column)
    return records
