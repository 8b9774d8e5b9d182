"""Quarantine of one topic, written by Spark: adds rejected records once, re-validates and removes them."""

from __future__ import annotations

from dataclasses import dataclass

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
SAME_POSITION = " and ".join(f"t.{name} = s.{name}" for name in POSITION)


@dataclass(frozen=True)
class QuarantineTable:
    """Quarantine of the records of one type."""

    lake: Lake
    record_type: RecordType

    @property
    def key(self) -> str:
        """Asset key of the table."""
        return f"quarantine/{self.record_type.name}"

    def has_rows(self) -> bool:
        """Return whether the table exists and is not empty."""
        table = self.lake.snapshot(self.key)
        return table is not None and table.rows > 0

    def count(self, progress: CleaningProgress) -> int:
        """Count the quarantined records, without those that a replay has published by this progress."""
        table = self.lake.snapshot(self.key)
        if table is None:
            return 0
        if progress.replayed is None:
            return table.rows
        counted = table.query(f"select count(*) as records from t where {progress.in_quarantine}")  # noqa: S608
        return int(counted["records"][0].as_py())

    def add(self, spark: SparkSession, rejected: DataFrame) -> None:
        """Add rejected records that the table does not have yet.

        Only rows from the lowest offset of these records on are compared.
        """
        added = {
            "rules_version": F.lit(rules_version(self.record_type)),
            "first_seen": F.current_timestamp(),
            "replayed_in": F.lit(None).cast("bigint"),
        }
        columns = [column.name for column in TOPIC_QUARANTINE]
        rows = rejected.select("*", "rejection.*").withColumns(added).select(*columns)
        first = rows.agg(F.min("source_offset")).collect()[0][0]
        self.lake.ensure_table(self.key, TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        merge = self._table(spark).merge(rows.alias("s"), f"{SAME_POSITION} and t.source_offset >= {first}")
        merge.whenNotMatchedInsertAll().execute()

    def records(self, spark: SparkSession) -> DataFrame:
        """Return the quarantined records in the form that `classify` expects."""
        position = (F.col(name).alias(name.removeprefix("source_")) for name in POSITION)
        return self._table(spark).toDF().select(*position, "bytes")

    def update(self, spark: SparkSession, classified: DataFrame, batch: int) -> None:
        """Store the outcome of a re-validation by the current rules.

        Accepted records are marked with the batch that will publish them; the others get the current rejection.
        """
        version = F.lit(rules_version(self.record_type))
        rejection: dict[str, str | Column] = {
            **{name: F.col(f"s.rejection.{name}") for name in ("reason", "field", "value")},
            "rules_version": version,
        }
        merge = self._table(spark).merge(classified.select(*POSITION, "rejection").alias("s"), SAME_POSITION)
        merge = merge.whenMatchedUpdate("s.rejection is null", {"replayed_in": F.lit(batch)})
        merge.whenMatchedUpdate(F.col("t.rules_version") != version, rejection).execute()

    def remove_published(self, spark: SparkSession, progress: CleaningProgress) -> None:
        """Remove the records that the last replay has published."""
        self._table(spark).delete(f"not ({progress.in_quarantine})")

    def _table(self, spark: SparkSession) -> DeltaTable:
        return DeltaTable.forPath(spark, self.lake.path(self.key)).alias("t")
