"""Batch stats on Spark, counted in a single pass."""

from __future__ import annotations

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch.batch_stats import MAX_NAME_CHARACTERS, MAX_UNKNOWN_FIELDS
from pin_pipeline.storage.progress import BatchStats, Occurrences


def collect_batch_stats(records: DataFrame) -> BatchStats:
    """Count the classified records of a batch, whose position columns are named as in the published tables."""
    findings = (F.size("inconsistent") > 0) | (F.size("unknown") > 0)
    [counts] = records.agg(F.count("*"), F.count("rejection"), F.count_if(findings)).collect()
    landed, quarantined, with_findings = counts
    if not with_findings:
        return BatchStats(landed, quarantined)
    return BatchStats(landed, quarantined, _occurrences(records, "inconsistent"), _occurrences(records, "unknown"))


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
