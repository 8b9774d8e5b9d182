"""The quarantine tables as Spark writes them: records are added once, judged again, and removed once published."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.tables import PROPERTIES
from pin_pipeline.lakehouse.version import rules_version
from pin_pipeline.records import RecordKind
from pin_pipeline.records.positions import QUARANTINE, SOURCE_POSITION

POSITION = [column.name for column in SOURCE_POSITION]
SAME = " and ".join(f"t.{name} = s.{name}" for name in POSITION)


def held(lake: Lake, kind: RecordKind, progress: Progress) -> int:
    """How many records are in quarantine when the cleaned table has come so far."""
    table = lake.snapshot(_key(kind))
    if table is None:
        return 0
    if progress.replayed is None:
        return table.rows
    counted = table.query(f"select count(*) as held from t where {progress.in_quarantine}")  # noqa: S608
    return int(counted["held"][0].as_py())


def add(spark: SparkSession, lake: Lake, kind: RecordKind, problems: DataFrame) -> None:
    """Add what is not there yet; looks only at the offsets of this batch."""
    added = {
        "rules_version": F.lit(rules_version(kind)),
        "first_seen": F.current_timestamp(),
        "replayed_in": F.lit(None).cast("bigint"),
    }
    columns = [column.name for column in QUARANTINE]
    rows = problems.select("*", "problem.*").withColumns(added).select(*columns)
    first = rows.agg(F.min("source_offset")).collect()[0][0]
    lake.ensure(_key(kind), QUARANTINE, PROPERTIES, metadata="{}")
    merge = _table(spark, lake, kind).merge(rows.alias("s"), f"{SAME} and t.source_offset >= {first}")
    merge.whenNotMatchedInsertAll().execute()


def records(spark: SparkSession, lake: Lake, kind: RecordKind) -> DataFrame:
    """The records in quarantine as `classify` takes them."""
    position = (F.col(name).alias(name.removeprefix("source_")) for name in POSITION)
    return _table(spark, lake, kind).toDF().select(*position, "bytes")


def mark(spark: SparkSession, lake: Lake, kind: RecordKind, judged: DataFrame, batch: int) -> None:
    """Mark what fits now with the batch that is to publish it; what does not gets the judgement of today's rules."""
    version = F.lit(rules_version(kind))
    judgement: dict[str, str | Column] = {
        **{name: F.col(f"s.problem.{name}") for name in ("reason", "field", "value")},
        "rules_version": version,
    }
    merge = _table(spark, lake, kind).merge(judged.select(*POSITION, "problem").alias("s"), SAME)
    merge = merge.whenMatchedUpdate("s.problem is null", {"replayed_in": F.lit(batch)})
    merge.whenMatchedUpdate(F.col("t.rules_version") != version, judgement).execute()


def remove(spark: SparkSession, lake: Lake, kind: RecordKind, progress: Progress) -> None:
    """Remove what the last replay has published."""
    _table(spark, lake, kind).delete(f"not ({progress.in_quarantine})")


def _key(kind: RecordKind) -> str:
    return f"quarantine/{kind.name}"


def _table(spark: SparkSession, lake: Lake, kind: RecordKind) -> DeltaTable:
    return DeltaTable.forPath(spark, lake.path(_key(kind))).alias("t")
