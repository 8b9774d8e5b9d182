"""Spark engine: a local session, or the one of a Databricks cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from delta.tables import DeltaTable
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.spark_stats import collect_batch_stats
from pin_pipeline.batch.queries import Query, functions_sql
from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE, topic_quarantine_key
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import MAX_PARTITIONS, SOURCE_POSITION
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.spark.classify import classify, classify_objects
from pin_pipeline.spark.delta_writes import CONFLICTS, commit_metadata, overwrite
from pin_pipeline.spark.landed_objects import read_objects
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import BatchStats, CleaningProgress

CACHE = StorageLevel.DISK_ONLY
"""A batch may be larger than memory, and garbage collection of a full heap is slower than the disk."""

POSITION = [column.name for column in SOURCE_POSITION]
SAME_POSITION = " and ".join(f"t.{name} = s.{name}" for name in POSITION)


class SparkEngine(BatchEngine[DataFrame]):
    """Executes the steps with Spark DataFrames and Delta's MERGE.

    Args:
        session: returns the Spark session; called only if there is work.
        max_batch_bytes: see `BatchEngine`.
    """

    name = "spark"
    conflicts = CONFLICTS

    def __init__(self, session: Callable[[], SparkSession], max_batch_bytes: int | None = None) -> None:
        self.max_batch_bytes = max_batch_bytes
        self._session = session
        self._started: SparkSession | None = None

    def cancel(self) -> None:
        """Cancel all Spark jobs of this process."""
        if self._started is not None:
            self._started.sparkContext.cancelAllJobs()

    @contextmanager
    def classify_objects(
        self, record_type: RecordType, store: ObjectStore, names: Sequence[ObjectName]
    ) -> Iterator[DataFrame]:
        """Read and classify landed objects; the records are cached on disk."""
        with _cached(classify_objects(record_type, read_objects(self._new_session(), store.bucket, names))) as records:
            yield records

    @contextmanager
    def classify_quarantine(self, record_type: RecordType, lake: Lake) -> Iterator[DataFrame]:
        """Classify the records in the quarantine of a topic."""
        position = (F.col(name).alias(name.removeprefix("source_")) for name in POSITION)
        rows = _quarantine(self._new_session(), lake, record_type).toDF().select(*position, "bytes")
        with _cached(classify(record_type, rows)) as records:
            yield records

    def collect_stats(self, records: DataFrame) -> BatchStats:
        """Count the records in one pass."""
        return collect_batch_stats(records)

    def add_to_quarantine(self, record_type: RecordType, lake: Lake, records: DataFrame) -> None:
        """Add rejected records that the quarantine does not have yet."""
        added = {
            "rules_version": F.lit(rules_version(record_type)),
            "first_seen": F.current_timestamp(),
            "replayed_in": F.lit(None).cast("bigint"),
        }
        columns = [column.name for column in TOPIC_QUARANTINE]
        rejected = records.where("rejection is not null")
        rows = rejected.select("*", "rejection.*").withColumns(added).select(*columns)
        first = rows.agg(F.min("source_offset")).collect()[0][0]
        lake.ensure_table(topic_quarantine_key(record_type.name), TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        table = _quarantine(records.sparkSession, lake, record_type)
        merge = table.merge(rows.alias("s"), f"{SAME_POSITION} and t.source_offset >= {first}")
        merge.whenNotMatchedInsert(values=_from_source(columns)).execute()

    def update_quarantine(self, record_type: RecordType, lake: Lake, records: DataFrame, batch: int) -> None:
        """Store the outcome of a re-validation."""
        version = F.lit(rules_version(record_type))
        rejection: dict[str, str | Column] = {
            **{name: F.col(f"s.rejection.{name}") for name in ("reason", "field", "value")},
            "rules_version": version,
        }
        table = _quarantine(records.sparkSession, lake, record_type)
        merge = table.merge(records.select(*POSITION, "rejection").alias("s"), SAME_POSITION)
        merge = merge.whenMatchedUpdate("s.rejection is null", {"replayed_in": F.lit(batch)})
        merge.whenMatchedUpdate(F.col("t.rules_version") != version, rejection).execute()

    def remove_published(self, record_type: RecordType, lake: Lake, progress: CleaningProgress) -> None:
        """Remove the records that the last replay has published."""
        _quarantine(self._new_session(), lake, record_type).delete(f"not ({progress.in_quarantine})")

    def publish(
        self, record_type: RecordType, lake: Lake, records: DataFrame, progress: CleaningProgress, accepted: int
    ) -> None:
        """Publish the latest accepted record of each key."""
        columns = [column.name for column in (*record_type.columns, *SOURCE_POSITION)]
        # A single number is aggregated in a hash table; structs would make Spark sort whole records.
        position = F.col("source_offset") * MAX_PARTITIONS + F.col("source_partition")
        candidates = records.where("rejection is null").select(*columns, position.alias("position"))
        last = candidates.groupBy("ind").agg(F.max("position").alias("position"))
        latest = candidates.join(last.hint("shuffle_hash"), ["ind", "position"]).select(*columns)
        path, spark = lake.path(f"cleaned/{record_type.name}"), records.sparkSession
        with commit_metadata(spark, progress.metadata(accepted), progress.batch):
            if progress.batch == 1:  # the table is empty, so there is nothing to merge with
                latest.write.format("delta").mode("append").save(path)
            else:
                _merge(DeltaTable.forPath(spark, path), latest, _from_source(columns))

    def replace_quarantine(self, record_type: RecordType, lake: Lake, staging: Lake) -> None:
        """Replace the quarantine by the one in the staging area."""
        spark, key = self._new_session(), topic_quarantine_key(record_type.name)
        after = _read(spark, staging, key)
        before = _read(spark, lake, key).select(*POSITION, F.col("first_seen").alias("first_seen_before"))
        comment = after.schema["first_seen"].metadata
        first_seen = F.coalesce("first_seen_before", "first_seen").alias("first_seen", metadata=comment)
        joined = after.join(before, POSITION, "left")
        rows = joined.select(*(first_seen if name == "first_seen" else F.col(name) for name in after.columns))
        overwrite(rows, lake, key, metadata="{}")

    def replace_cleaned(self, record_type: RecordType, lake: Lake, staging: Lake, progress: CleaningProgress) -> None:
        """Replace the cleaned table by the one in the staging area."""
        spark, key = self._new_session(), f"cleaned/{record_type.name}"
        metadata = progress.metadata(accepted=staging.require(key).rows)
        with commit_metadata(spark, metadata, progress.batch):
            overwrite(_read(spark, staging, key), lake, key, metadata)

    def run_query(self, lake: Lake, query: Query, versions: dict[str, int], metadata: str) -> None:
        """Replace the result table of a query."""
        spark = self._new_session()
        for name in query.inputs:
            reader = spark.read.format("delta").option("versionAsOf", versions[name])
            reader.load(lake.path(f"cleaned/{name}")).createOrReplaceTempView(name)
        spark.sql(functions_sql())
        result = spark.sql(query.sql)
        rows = result.select(
            *(
                F.col(column.name).cast(column.type).alias(column.name, metadata={"comment": column.description})
                for column in query.columns
            )
        )
        overwrite(rows.coalesce(1), lake, query.key, metadata)

    def _new_session(self) -> SparkSession:
        """Return a session with its own temporary views and commit metadata."""
        self._started = self._session()
        return self._started.newSession()


@contextmanager
def _cached(classified: DataFrame) -> Iterator[DataFrame]:
    """Name the position columns as the tables do, and cache the records during the block."""
    names = {name: f"source_{name}" for name in ("topic", "partition", "offset")}
    records = classified.withColumnsRenamed(names).persist(CACHE)
    try:
        yield records
    finally:
        records.unpersist()


def _from_source(columns: Sequence[str]) -> dict[str, str | Column]:
    """Return the assignments of a merge; columns that another writer has added are not assigned."""
    return {name: f"s.{name}" for name in columns}


def _merge(table: DeltaTable, latest: DataFrame, values: dict[str, str | Column]) -> None:
    merge = table.alias("t").merge(latest.alias("s"), "t.ind = s.ind")
    is_later = "struct(s.source_offset, s.source_partition) > struct(t.source_offset, t.source_partition)"
    merge.whenMatchedUpdate(is_later, values).whenNotMatchedInsert(values=values).execute()


def _quarantine(spark: SparkSession, lake: Lake, record_type: RecordType) -> DeltaTable:
    return DeltaTable.forPath(spark, lake.path(topic_quarantine_key(record_type.name))).alias("t")


def _read(spark: SparkSession, lake: Lake, key: str) -> DataFrame:
    return spark.read.format("delta").load(lake.path(key))
