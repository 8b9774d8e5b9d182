"""The quarantine tables as Spark writes them: records are added once, judged again, and removed once published."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.progress import CleaningProgress

POSITION = [column.name for column in SOURCE_POSITION]
SAME = " and ".join(f"t.{name} = s.{name}" for name in POSITION)


def held(lake: Lake, record_type: RecordType, progress: CleaningProgress) -> int:
    """How many records are in quarantine when the cleaned table has come so far."""
    table = lake.snapshot(_key(record_type))
    if table is None:
        return 0
    if progress.replayed is None:
        return table.rows
    counted = table.query(f"select count(*) as held from t where {progress.in_quarantine}")  # noqa: S608
    return int(counted["held"][0].as_py())


def add(spark: SparkSession, lake: Lake, record_type: RecordType, problems: DataFrame) -> None:
    """Add what is not there yet; looks only at the offsets of this batch."""
    added = {
        "rules_version": F.lit(rules_version(record_type)),
        "first_seen": F.current_timestamp(),
        "replayed_in": F.lit(None).cast("bigint"),
    }
    columns = [column.name for column in TOPIC_QUARANTINE]
    rows = problems.select("*", "rejection.*").withColumns(added).select(*columns)
    first = rows.agg(F.min("source_offset")).collect()[0][0]
    lake.ensure(_key(record_type), TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
    merge = _table(spark, lake, record_type).merge(rows.alias("s"), f"{SAME} and t.source_offset >= {first}")
    merge.whenNotMatchedInsertAll().execute()


def records(spark: SparkSession, lake: Lake, record_type: RecordType) -> DataFrame:
    """The records in quarantine as `classify` takes them."""
    position = (F.col(name).alias(name.removeprefix("source_")) for name in POSITION)
    return _table(spark, lake, record_type).toDF().select(*position, "bytes")


def mark(spark: SparkSession, lake: Lake, record_type: RecordType, classified: DataFrame, batch: int) -> None:
    """Mark what fits now with the batch that is to publish it; what does not gets the judgement of today's rules."""
    version = F.lit(rules_version(record_type))
    rejection: dict[str, str | Column] = {
        **{name: F.col(f"s.rejection.{name}") for name in ("reason", "field", "value")},
        "rules_version": version,
    }
    merge = _table(spark, lake, record_type).merge(classified.select(*POSITION, "rejection").alias("s"), SAME)
    merge = merge.whenMatchedUpdate("s.rejection is null", {"replayed_in": F.lit(batch)})
    merge.whenMatchedUpdate(F.col("t.rules_version") != version, rejection).execute()


def remove(spark: SparkSession, lake: Lake, record_type: RecordType, progress: CleaningProgress) -> None:
    """Remove what the last replay has published."""
    _table(spark, lake, record_type).delete(f"not ({progress.in_quarantine})")


def _key(record_type: RecordType) -> str:
    return f"quarantine/{record_type.name}"


def _table(spark: SparkSession, lake: Lake, record_type: RecordType) -> DeltaTable:
    return DeltaTable.forPath(spark, lake.path(_key(record_type))).alias("t")
