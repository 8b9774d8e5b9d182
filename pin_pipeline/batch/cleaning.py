"""Clean what came since the last commit: publish what fits, quarantine what does not, lose nothing.

Records are quarantined by source position first, then the published ones and the progress are committed as one.
A crash between the two leaves the batch unread: it is read again, and quarantining it again changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from delta.tables import DeltaTable
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch import quarantine_table
from pin_pipeline.batch.batch_stats import batch_checks, collect_batch_stats
from pin_pipeline.batch.parallel import in_parallel
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
OBJECTS_A_BATCH = 10_000
# Far more than a broker has; ten digits of an offset times this are still a bigint.
PARTITIONS_AT_MOST = 2**20
# A batch may be larger than memory, and a full heap costs more than the disk.
DISK = StorageLevel.DISK_ONLY

log = logging.getLogger(__name__)


def clean_topics(
    session: Callable[[], SparkSession],
    lake: Lake,
    store: ObjectStore,
    topics: Mapping[str, RecordType],
    *,
    replay: bool = False,
) -> Iterator[Report]:
    """Bring the cleaned table of each topic up to date; starts Spark only when there is something new.

    With `replay`, records in quarantine are judged again by the rules of today: those that accepted now are published.

    Raises:
        Delta's error of the conflict, where other writers were faster `ATTEMPTS` times in a row.
    """
    cleaning = partial(_clean, session, lake, store, replay=replay)
    yield from in_parallel([partial(cleaning, record_type, topic) for topic, record_type in topics.items()])


def _clean(
    session: Callable[[], SparkSession],
    lake: Lake,
    store: ObjectStore,
    record_type: RecordType,
    topic: str,
    *,
    replay: bool,
) -> Report:
    started = time.monotonic()
    columns = (*record_type.columns, *SOURCE_POSITION)
    table = lake.ensure(f"cleaned/{record_type.name}", columns, PROPERTIES, CleaningProgress().metadata())
    before = CleaningProgress.of(table)
    table, objects = _in_turn(lake, table, partial(_next_batch, session, lake, store, record_type, topic))
    replayed = 0
    if replay:
        table, replayed = _in_turn(lake, table, partial(_replay, session, lake, record_type))
    run = {"new_objects": objects, "new_replayed": replayed}
    return _report(lake, record_type, table, before, run, time.monotonic() - started)


def _in_turn(lake: Lake, table: Snapshot, step: Callable[[CleaningProgress], int]) -> tuple[Snapshot, int]:
    """Do a step again and again, each on the progress that the last one made, until it has nothing to do.

    Returns:
        The table as it is then, and how much was done.
    """
    total, attempt = 0, 1
    while True:
        try:
            done = step(CleaningProgress.of(table))
        except CONFLICTS:
            log.info("%s: another run committed first, looking again", table.key)
            if attempt == ATTEMPTS:
                raise
            attempt += 1
        else:
            if not done:
                return table, total
            total, attempt = total + done, 1
        table = lake.existing(table.key)


def _next_batch(
    session: Callable[[], SparkSession],
    lake: Lake,
    store: ObjectStore,
    record_type: RecordType,
    topic: str,
    progress: CleaningProgress,
) -> int:
    """Clean the next objects; returns how many."""
    names = list(progress.new_objects(store, topic))
    batch = names[:OBJECTS_A_BATCH]
    if batch:
        log.info("cleaned/%s: %d new objects, reading %d", record_type.name, len(names), len(batch))
        _clean_batch(session().newSession(), lake, record_type, batch, progress)
    return len(batch)


def _clean_batch(
    spark: SparkSession, lake: Lake, record_type: RecordType, names: Sequence[ObjectName], progress: CleaningProgress
) -> None:
    records = _positioned(classify_objects(record_type, read_objects(spark, lake.bucket, names))).persist(DISK)
    try:
        stats = collect_batch_stats(records)
        if stats.quarantined:
            quarantine_table.add(spark, lake, record_type, records.where("rejection is not null"))
        _publish(spark, lake, record_type, records, progress.after(names, stats), stats.records - stats.quarantined)
    finally:
        records.unpersist()


def _replay(
    session: Callable[[], SparkSession], lake: Lake, record_type: RecordType, progress: CleaningProgress
) -> int:
    """Publish what fits now of the quarantine; returns how many records these are.

    They are marked with the number of the commit that publishes them, published by that commit, and removed. After a
    crash the marks tell what is published already: they count only where the table's progress bears the same number.
    """
    held = lake.snapshot(f"quarantine/{record_type.name}")
    if held is None or not held.rows:
        return 0
    spark = session().newSession()
    quarantine_table.remove(spark, lake, record_type, progress)
    records = _positioned(classify(record_type, quarantine_table.records(spark, lake, record_type))).persist(DISK)
    try:
        accepted = records.where("rejection is null").count()
        quarantine_table.mark(spark, lake, record_type, records, progress.batch + 1)
        if accepted:
            advanced = progress.after_replay(accepted)
            _publish(spark, lake, record_type, records, advanced, accepted)
            quarantine_table.remove(spark, lake, record_type, advanced)
            log.info("cleaned/%s: %d records came out of quarantine", record_type.name, accepted)
    finally:
        records.unpersist()
    return accepted


def _positioned(records: DataFrame) -> DataFrame:
    return records.withColumnsRenamed({name: f"source_{name}" for name in ("topic", "partition", "offset")})


def _publish(
    spark: SparkSession,
    lake: Lake,
    record_type: RecordType,
    records: DataFrame,
    advanced: CleaningProgress,
    accepted: int,
) -> None:
    """Publish the latest record of each key, in one commit with the progress; the later source position wins."""
    columns = [column.name for column in (*record_type.columns, *SOURCE_POSITION)]
    # As one number it is kept in a hash table; to compare structs, Spark would sort whole records.
    position = F.col("source_offset") * PARTITIONS_AT_MOST + F.col("source_partition")
    accepted_records = records.where("rejection is null").select(*columns, position.alias("position"))
    last = accepted_records.groupBy("ind").agg(F.max("position").alias("position"))
    latest = accepted_records.join(last.hint("shuffle_hash"), ["ind", "position"]).select(*columns)
    path = lake.path(f"cleaned/{record_type.name}")
    with commit_metadata(spark, advanced.metadata(accepted), advanced.batch):
        if advanced.batch == 1:  # there is nothing to merge with
            latest.write.format("delta").mode("append").save(path)
        else:
            _merge(DeltaTable.forPath(spark, path), latest)


def _merge(table: DeltaTable, latest: DataFrame) -> None:
    merge = table.alias("t").merge(latest.alias("s"), "t.ind = s.ind")
    later = "struct(s.source_offset, s.source_partition) > struct(t.source_offset, t.source_partition)"
    merge.whenMatchedUpdateAll(later).whenNotMatchedInsertAll().execute()


def _report(
    lake: Lake,
    record_type: RecordType,
    table: Snapshot,
    before: CleaningProgress,
    run: Mapping[str, int],
    seconds: float,
) -> Report:
    now = CleaningProgress.of(table)
    quarantined = quarantine_table.held(lake, record_type, now)
    totals = {
        "landed": now.landed,
        "published": table.rows,
        "superseded": now.superseded,
        "quarantined": quarantined,
        "unreconciled": now.landed - table.rows - now.superseded - quarantined,
    }
    run = {
        **run,
        "new_landed": now.landed - before.landed,
        "new_quarantined": now.quarantined - before.quarantined + run["new_replayed"],
        "new_superseded": now.superseded - before.superseded,
    }
    checks = (
        Check("record_counts_reconcile", totals["unreconciled"] == 0, totals),
        *batch_checks(now.batch_stats, record_type),
    )
    metadata: Metadata = {**run, **totals, "seconds": round(seconds, 2), "preview": table.preview()}
    return Report(table.key, table.rows, metadata, checks)
