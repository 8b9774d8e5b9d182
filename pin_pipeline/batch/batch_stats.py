"""Batch stats: what one batch of classified records contains, counted in a single pass on Spark."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.records import RecordType
from pin_pipeline.reports import Check, Metadata, Severity
from pin_pipeline.storage.progress import BatchStats, Occurrences

MAX_UNKNOWN_FIELDS, MAX_NAME_CHARACTERS = 20, 100
"""Bounds of the unknown fields in the stats, which are stored in the metadata of each commit."""


def collect_batch_stats(records: DataFrame) -> BatchStats:
    """Count the classified records of a batch, whose position columns are named as in the published tables."""
    findings = (F.size("inconsistent") > 0) | (F.size("unknown") > 0)
    [counts] = records.agg(F.count("*"), F.count("rejection"), F.count_if(findings)).collect()
    landed, quarantined, with_findings = counts
    if not with_findings:
        return BatchStats(landed, quarantined)
    return BatchStats(landed, quarantined, _occurrences(records, "inconsistent"), _occurrences(records, "unknown"))


def batch_checks(stats: BatchStats, record_type: RecordType) -> Iterator[Check]:
    """Return the checks of a batch: one per consistency rule, and `no_unknown_fields`."""
    for rule in record_type.consistency_rules:
        found = stats.inconsistent.get(rule.name)
        yield _check(stats, rule.name, {"failed": found.records if found else 0, "example": str(found or "none")})
    names = "\n".join(f"* `{name}`: {found}" for name, found in stats.unknown.items())
    yield _check(stats, "no_unknown_fields", {"failed": len(stats.unknown), "fields": names or "none"})


def _check(stats: BatchStats, name: str, metadata: Metadata) -> Check:
    return Check(name, not metadata["failed"], {"records": stats.records, **metadata}, Severity.WARN)


def _occurrences(records: DataFrame, column: str) -> dict[str, Occurrences]:
    position = F.struct("source_offset", "source_partition")
    found = (
        records.select(F.explode(column).alias("name"), position.alias("at"))
        .groupBy(F.left("name", F.lit(MAX_NAME_CHARACTERS)).alias("name"))
        .agg(F.count("*").alias("records"), F.min("at").alias("first"))
        .orderBy(F.desc("records"), "name")
        .limit(MAX_UNKNOWN_FIELDS)
    )
    return {row["name"]: _first(row) for row in found.collect()}


def _first(row: Row) -> Occurrences:
    return Occurrences(row["records"], row["first"]["source_partition"], row["first"]["source_offset"])
