"""Cleaning: publishes the accepted records of new objects, and quarantines the rejected ones.

A batch of objects is processed in two commits. Rejected records are quarantined first, keyed by source position; then
accepted records and progress are committed to the cleaned table together. After a crash between the two, the batch is
read again, and adding the same records to the quarantine again has no effect.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from delta.tables import DeltaTable
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch.batch_stats import batch_checks, collect_batch_stats
from pin_pipeline.batch.parallel import in_parallel
from pin_pipeline.batch.quarantine_table import QuarantineTable
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Check, Metadata, Report
from pin_pipeline.spark.classify import classify, classify_objects
from pin_pipeline.spark.delta_writes import CONFLICTS, commit_metadata
from pin_pipeline.spark.landed_objects import read_objects
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

ATTEMPTS = 5
"""Consecutive commit conflicts after which a run fails."""

OBJECTS_PER_BATCH = 10_000

MAX_PARTITIONS = 2**20
"""Upper bound of partitions per topic, far above what a broker supports.

Object names have ten digits for an offset; multiplied by this bound, an offset still fits in a bigint.
"""

CACHE = StorageLevel.DISK_ONLY
"""A batch may be larger than memory, and garbage collection of a full heap is slower than the disk."""

log = logging.getLogger(__name__)


def clean_topics(
    session: Callable[[], SparkSession],
    lake: Lake,
    store: ObjectStore,
    topics: Mapping[str, RecordType],
    *,
    replay: bool = False,
) -> Iterator[Report]:
    """Bring the cleaned table of each topic up to date, in parallel.

    Args:
        session: returns the Spark session; called only if there are records to process.
        lake: location of the cleaned tables and quarantines.
        store: location of the landed objects.
        topics: record type of each topic.
        replay: re-validate quarantined records by the current rules, and publish those that are accepted.

    Raises:
        Exception: one of `CONFLICTS`, after other writers have committed first `ATTEMPTS` times in a row.
    """
    cleaners = [TableCleaner(session, lake, store, record_type, topic) for topic, record_type in topics.items()]
    yield from in_parallel([partial(cleaner.run, replay=replay) for cleaner in cleaners])


@dataclass(frozen=True)
class TableCleaner:
    """Cleaning of one topic into its cleaned table and its quarantine.

    Attributes:
        session: returns the Spark session; called only if there are records to process.
        lake: location of the cleaned table and the quarantine.
        store: location of the landed objects.
        record_type: type of the topic's records.
        topic: name of the topic.
    """

    session: Callable[[], SparkSession]
    lake: Lake
    store: ObjectStore
    record_type: RecordType
    topic: str

    def run(self, *, replay: bool) -> Report:
        """Clean all new objects, and optionally replay the quarantine."""
        started = time.monotonic()
        columns = (*self.record_type.columns, *SOURCE_POSITION)
        table = self.lake.ensure_table(self.key, columns, PROPERTIES, CleaningProgress().metadata())
        before = CleaningProgress.of(table)
        table, objects = self._repeat(table, self._clean_next_batch)
        replayed = 0
        if replay:
            table, replayed = self._repeat(table, self._replay)
        return self._report(table, before, objects, replayed, time.monotonic() - started)

    @property
    def key(self) -> str:
        """Asset key of the cleaned table."""
        return f"cleaned/{self.record_type.name}"

    @cached_property
    def quarantine(self) -> QuarantineTable:
        """Quarantine of the topic."""
        return QuarantineTable(self.lake, self.record_type)

    def _repeat(self, table: Snapshot, step: Callable[[CleaningProgress], int]) -> tuple[Snapshot, int]:
        """Repeat a step, each time with the latest progress, until it has nothing left to do.

        Returns:
            The last snapshot of the table, and the sum of what the steps returned.
        """
        total, attempt = 0, 1
        while True:
            try:
                done = step(CleaningProgress.of(table))
            except CONFLICTS:
                log.info("%s: another run committed first; reading its progress", table.key)
                if attempt == ATTEMPTS:
                    raise
                attempt += 1
            else:
                if not done:
                    return table, total
                total, attempt = total + done, 1
            table = self.lake.require(table.key)

    def _clean_next_batch(self, progress: CleaningProgress) -> int:
        """Clean the next batch of objects; returns their number."""
        names = list(progress.new_objects(self.store, self.topic))
        batch = names[:OBJECTS_PER_BATCH]
        if batch:
            log.info("%s: %d new objects, reading %d", self.key, len(names), len(batch))
            self._clean_batch(self.session().newSession(), batch, progress)
        return len(batch)

    def _clean_batch(self, spark: SparkSession, names: Sequence[ObjectName], progress: CleaningProgress) -> None:
        objects = read_objects(spark, self.lake.bucket, names)
        records = _with_source_columns(classify_objects(self.record_type, objects)).persist(CACHE)
        try:
            stats = collect_batch_stats(records)
            if stats.quarantined:
                self.quarantine.add(spark, records.where("rejection is not null"))
            self._publish(spark, records, progress.after(names, stats), stats.records - stats.quarantined)
        finally:
            records.unpersist()

    def _replay(self, progress: CleaningProgress) -> int:
        """Publish the quarantined records that the current rules accept; returns their number.

        The records are marked with the number of the commit that will publish them, published by that commit, and then
        removed. After a crash, a mark counts only if the progress of the cleaned table has the same number, which means
        that the marked records are published.
        """
        if not self.quarantine.has_rows():
            return 0
        spark = self.session().newSession()
        self.quarantine.remove_published(spark, progress)
        quarantined = self.quarantine.records(spark)
        records = _with_source_columns(classify(self.record_type, quarantined)).persist(CACHE)
        try:
            accepted = records.where("rejection is null").count()
            self.quarantine.update(spark, records, progress.batch + 1)
            if accepted:
                advanced = progress.after_replay(accepted)
                self._publish(spark, records, advanced, accepted)
                self.quarantine.remove_published(spark, advanced)
                log.info("%s: published %d records from quarantine", self.key, accepted)
        finally:
            records.unpersist()
        return accepted

    def _publish(self, spark: SparkSession, records: DataFrame, progress: CleaningProgress, accepted: int) -> None:
        """Publish the latest accepted record of each key, in one commit with the progress.

        The record with the highest offset wins, then the one with the highest partition.
        """
        columns = [column.name for column in (*self.record_type.columns, *SOURCE_POSITION)]
        # A single number is aggregated in a hash table; structs would make Spark sort whole records.
        position = F.col("source_offset") * MAX_PARTITIONS + F.col("source_partition")
        candidates = records.where("rejection is null").select(*columns, position.alias("position"))
        last = candidates.groupBy("ind").agg(F.max("position").alias("position"))
        latest = candidates.join(last.hint("shuffle_hash"), ["ind", "position"]).select(*columns)
        path = self.lake.path(self.key)
        with commit_metadata(spark, progress.metadata(accepted), progress.batch):
            if progress.batch == 1:  # the table is empty, so there is nothing to merge with
                latest.write.format("delta").mode("append").save(path)
            else:
                _merge(DeltaTable.forPath(spark, path), latest)

    def _report(self, table: Snapshot, before: CleaningProgress, objects: int, replayed: int, seconds: float) -> Report:
        after = CleaningProgress.of(table)
        quarantined = self.quarantine.count(after)
        totals = {
            "landed": after.landed,
            "published": table.rows,
            "superseded": after.superseded,
            "quarantined": quarantined,
            "unreconciled": after.landed - table.rows - after.superseded - quarantined,
        }
        metadata: Metadata = {
            "new_objects": objects,
            "new_replayed": replayed,
            "new_landed": after.landed - before.landed,
            "new_quarantined": after.quarantined - before.quarantined + replayed,
            "new_superseded": after.superseded - before.superseded,
            **totals,
            "seconds": round(seconds, 2),
            "preview": table.preview(),
        }
        checks = (
            Check("record_counts_reconcile", totals["unreconciled"] == 0, totals),
            *batch_checks(after.batch_stats, self.record_type),
        )
        return Report(table.key, table.rows, metadata, checks)


def _with_source_columns(records: DataFrame) -> DataFrame:
    """Rename the position columns to those of the published tables."""
    return records.withColumnsRenamed({name: f"source_{name}" for name in ("topic", "partition", "offset")})


def _merge(table: DeltaTable, latest: DataFrame) -> None:
    merge = table.alias("t").merge(latest.alias("s"), "t.ind = s.ind")
    is_later = "struct(s.source_offset, s.source_partition) > struct(t.source_offset, t.source_partition)"
    merge.whenMatchedUpdateAll(is_later).whenNotMatchedInsertAll().execute()
