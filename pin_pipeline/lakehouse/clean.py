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

from pin_pipeline.lakehouse import quarantine
from pin_pipeline.lakehouse.classify import classify, classify_objects
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.objects import read_objects
from pin_pipeline.lakehouse.observed import Observed
from pin_pipeline.lakehouse.parallel import in_parallel
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.report import Check, Metadata, Report
from pin_pipeline.lakehouse.snapshot import Snapshot
from pin_pipeline.lakehouse.tables import CONFLICTS, PROPERTIES, commit_metadata
from pin_pipeline.landing.names import ObjectName
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import RecordKind
from pin_pipeline.records.positions import SOURCE_POSITION

ATTEMPTS = 5
OBJECTS_A_BATCH = 10_000
# Far more than a broker has; ten digits of an offset times this are still a bigint.
PARTITIONS_AT_MOST = 2**20
# A batch may be larger than memory, and a full heap costs more than the disk.
DISK = StorageLevel.DISK_ONLY

log = logging.getLogger(__name__)


def clean(
    session: Callable[[], SparkSession],
    lake: Lake,
    store: ObjectStore,
    topics: Mapping[str, RecordKind],
    *,
    replay: bool = False,
) -> Iterator[Report]:
    """Bring the cleaned table of each topic up to date; starts Spark only when there is something new.

    With `replay`, records in quarantine are judged again by the rules of today: those that fit now are published.

    Raises:
        Delta's error of the conflict, where other writers were faster `ATTEMPTS` times in a row.
    """
    cleaning = partial(_clean, session, lake, store, replay=replay)
    yield from in_parallel([partial(cleaning, kind, topic) for topic, kind in topics.items()])


def _clean(
    session: Callable[[], SparkSession], lake: Lake, store: ObjectStore, kind: RecordKind, topic: str, *, replay: bool
) -> Report:
    started = time.monotonic()
    columns = (*kind.columns, *SOURCE_POSITION)
    table = lake.ensure(f"cleaned/{kind.name}", columns, PROPERTIES, Progress().metadata())
    before = Progress.of(table)
    table, objects = _in_turn(lake, table, partial(_next_batch, session, lake, store, kind, topic))
    replayed = 0
    if replay:
        table, replayed = _in_turn(lake, table, partial(_replay, session, lake, kind))
    run = {"new_objects": objects, "new_replayed": replayed}
    return _report(lake, kind, table, before, run, time.monotonic() - started)


def _in_turn(lake: Lake, table: Snapshot, step: Callable[[Progress], int]) -> tuple[Snapshot, int]:
    """Do a step again and again, each on the progress that the last one made, until it has nothing to do.

    Returns:
        The table as it is then, and how much was done.
    """
    total, attempt = 0, 1
    while True:
        try:
            done = step(Progress.of(table))
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
    kind: RecordKind,
    topic: str,
    progress: Progress,
) -> int:
    """Clean the next objects; returns how many."""
    names = list(progress.new_objects(store, topic))
    batch = names[:OBJECTS_A_BATCH]
    if batch:
        log.info("cleaned/%s: %d new objects, reading %d", kind.name, len(names), len(batch))
        _clean_batch(session().newSession(), lake, kind, batch, progress)
    return len(batch)


def _clean_batch(
    spark: SparkSession, lake: Lake, kind: RecordKind, names: Sequence[ObjectName], progress: Progress
) -> None:
    records = _positioned(classify_objects(kind, read_objects(spark, lake.bucket, names))).persist(DISK)
    try:
        observed = Observed.of(records)
        if observed.quarantined:
            quarantine.add(spark, lake, kind, records.where("problem is not null"))
        _publish(spark, lake, kind, records, progress.after(names, observed), observed.records - observed.quarantined)
    finally:
        records.unpersist()


def _replay(session: Callable[[], SparkSession], lake: Lake, kind: RecordKind, progress: Progress) -> int:
    """Publish what fits now of the quarantine; returns how many records these are.

    They are marked with the number of the commit that publishes them, published by that commit, and removed. After a
    crash the marks tell what is published already: they count only where the table's progress bears the same number.
    """
    held = lake.snapshot(f"quarantine/{kind.name}")
    if held is None or not held.rows:
        return 0
    spark = session().newSession()
    quarantine.remove(spark, lake, kind, progress)
    records = _positioned(classify(kind, quarantine.records(spark, lake, kind))).persist(DISK)
    try:
        fit = records.where("problem is null").count()
        quarantine.mark(spark, lake, kind, records, progress.batch + 1)
        if fit:
            advanced = progress.after_replay(fit)
            _publish(spark, lake, kind, records, advanced, fit)
            quarantine.remove(spark, lake, kind, advanced)
            log.info("cleaned/%s: %d records came out of quarantine", kind.name, fit)
    finally:
        records.unpersist()
    return fit


def _positioned(records: DataFrame) -> DataFrame:
    return records.withColumnsRenamed({name: f"source_{name}" for name in ("topic", "partition", "offset")})


def _publish(
    spark: SparkSession, lake: Lake, kind: RecordKind, records: DataFrame, advanced: Progress, fit: int
) -> None:
    """Publish the latest record of each key, in one commit with the progress; the later source position wins."""
    columns = [column.name for column in (*kind.columns, *SOURCE_POSITION)]
    # As one number it is kept in a hash table; to compare structs, Spark would sort whole records.
    position = F.col("source_offset") * PARTITIONS_AT_MOST + F.col("source_partition")
    fitting = records.where("problem is null").select(*columns, position.alias("position"))
    last = fitting.groupBy("ind").agg(F.max("position").alias("position"))
    latest = fitting.join(last.hint("shuffle_hash"), ["ind", "position"]).select(*columns)
    path = lake.path(f"cleaned/{kind.name}")
    with commit_metadata(spark, advanced.metadata(fit), advanced.batch):
        if advanced.batch == 1:  # there is nothing to merge with
            latest.write.format("delta").mode("append").save(path)
        else:
            _merge(DeltaTable.forPath(spark, path), latest)


def _merge(table: DeltaTable, latest: DataFrame) -> None:
    merge = table.alias("t").merge(latest.alias("s"), "t.ind = s.ind")
    later = "struct(s.source_offset, s.source_partition) > struct(t.source_offset, t.source_partition)"
    merge.whenMatchedUpdateAll(later).whenNotMatchedInsertAll().execute()


def _report(
    lake: Lake, kind: RecordKind, table: Snapshot, before: Progress, run: Mapping[str, int], seconds: float
) -> Report:
    now = Progress.of(table)
    quarantined = quarantine.held(lake, kind, now)
    totals = {
        "landed": now.landed,
        "published": table.rows,
        "superseded": now.superseded,
        "quarantined": quarantined,
        "unaccounted": now.landed - table.rows - now.superseded - quarantined,
    }
    run = {
        **run,
        "new_landed": now.landed - before.landed,
        "new_quarantined": now.quarantined - before.quarantined + run["new_replayed"],
        "new_superseded": now.superseded - before.superseded,
    }
    checks = (
        Check("every_record_accounted_for", totals["unaccounted"] == 0, totals),
        *now.observed.checks(kind),
    )
    metadata: Metadata = {**run, **totals, "seconds": round(seconds, 2), "preview": table.preview()}
    return Report(table.key, table.rows, metadata, checks)
