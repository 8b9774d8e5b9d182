"""Records of a micro-batch that do not fit, as the quarantines of the streams hold them."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

PROBLEM = pa.struct([(name, pa.string()) for name in ("reason", "field", "value")])


def misfits(records: pa.Table, problems: pa.StructArray, version: str) -> pa.Table:
    """The records with what is wrong with each, by which version of the rules, and since when: now."""
    now = pa.array([datetime.now(UTC)] * records.num_rows, pa.timestamp("us", "UTC"))
    versions = pa.array([version] * records.num_rows, pa.string())
    columns = [*problems.flatten(), versions, now]
    for name, column in zip(("reason", "field", "value", "rules_version", "first_seen"), columns, strict=True):
        records = records.append_column(name, column)
    return records
