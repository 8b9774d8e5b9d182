"""Batch stats: bounds, and the checks that the stats of a batch answer."""

from __future__ import annotations

from collections.abc import Iterator

from pin_pipeline.records import RecordType
from pin_pipeline.reports import Check, Metadata, Severity
from pin_pipeline.storage.progress import BatchStats

MAX_UNKNOWN_FIELDS, MAX_NAME_CHARACTERS = 20, 100
"""Bounds of the unknown fields in the stats, which are stored in the metadata of each commit."""


def batch_checks(stats: BatchStats, record_type: RecordType) -> Iterator[Check]:
    """Return the checks of a batch: one per consistency rule, and `no_unknown_fields`."""
    for rule in record_type.consistency_rules:
        found = stats.inconsistent.get(rule.name)
        yield _check(stats, rule.name, {"failed": found.records if found else 0, "example": str(found or "none")})
    names = "\n".join(f"* `{name}`: {found}" for name, found in stats.unknown.items())
    yield _check(stats, "no_unknown_fields", {"failed": len(stats.unknown), "fields": names or "none"})


def _check(stats: BatchStats, name: str, metadata: Metadata) -> Check:
    return Check(name, not metadata["failed"], {"records": stats.records, **metadata}, Severity.WARN)
