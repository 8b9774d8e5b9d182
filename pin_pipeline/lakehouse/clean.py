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
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.lines import read_lines
from pin_pipeline.lakehouse.parallel import in_parallel
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.report import Check, Report
from pin_pipeline.lakehouse.rules import classify
from pin_pipeline.lakehouse.tables import CONFLICTS, PROPERTIES, commit_metadata
from pin_pipeline.landing.names import ObjectName
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import RecordKind
from pin_pipeline.records.positions import QUARANTINE, SOURCE_POSITION

ATTEMPTS = 5
OBJECTS_A_BATCH = 10_000

log = logging.getLogger(__name__)


def clean(
    session: Callable[[], SparkSession], lake: Lake, store: ObjectStore, topics: Mapping[str, RecordKind]
) -> Iterator[Report]:
    """Bring the cleaned table of each topic up to date; starts Spark only when there is something new.

    Raises:
        Delta's error of the conflict, where other writers were faster `ATTEMPTS` times in a row.
    """
    yield from in_parallel([partial(_clean, session, lake, store, kind, topic) for topic, kind in topics.items()])


def _clean(session: Callable[[], SparkSession], lake: Lake, store: ObjectStore, kind: RecordKind, topic: str) -> Report:
    started = time.monotonic()
    key = f"cleaned/{kind.name}"
    before = progress = Progress.of(lake, key)
    if lake.version(key) is None:
        lake.create(key, (*kind.columns, *SOURCE_POSITION), PROPERTIES, progress.metadata())
    objects, attempt = 0, 1
    while names := list(progress.new_objects(store, topic)):
        batch = names[:OBJECTS_A_BATCH]
        log.info("%s: %d new objects, reading %d", key, len(names), len(batch))
        try:
            _clean_batch(session().newSession(), lake, kind, batch, progress)
            objects, attempt = objects + len(batch), 1
        except CONFLICTS:
            log.info("%s: another run committed first, looking again", key)
            if attempt == ATTEMPTS:
                raise
            attempt += 1
        progress = Progress.of(lake, key)
    return _report(lake, kind, before, progress, objects, time.monotonic() - started)


def _clean_batch(
    spark: SparkSession, lake: Lake, kind: RecordKind, names: Sequence[ObjectName], progress: Progress
) -> None:
    records = _positioned(classify(kind, read_lines(spark, lake.bucket, names))).persist()
    try:
        landed, quarantined = records.agg(F.count("*"), F.count("problem")).collect()[0]
        if quarantined:
            _quarantine(spark, lake, kind, records.where("problem is not null"))
        advanced = progress.after(names, landed, quarantined)
        with commit_metadata(spark, advanced.metadata(fit=landed - quarantined), advanced.batch):
            _publish(spark, lake, kind, records.where("problem is null"))
    finally:
        records.unpersist()


def _positioned(records: DataFrame) -> DataFrame:
    return records.withColumnsRenamed({name: f"source_{name}" for name in ("topic", "partition", "offset")})


def _publish(spark: SparkSession, lake: Lake, kind: RecordKind, fitting: DataFrame) -> None:
    """Merge the latest record of each key; the later source position wins."""
    columns = [column.name for column in (*kind.columns, *SOURCE_POSITION)]
    position = F.struct("source_offset", "source_partition")
    latest = fitting.groupBy("ind").agg(F.max_by(F.struct(*columns), position).alias("record"))
    (
        DeltaTable.forPath(spark, lake.path(f"cleaned/{kind.name}"))
        .alias("t")
        .merge(latest.select("record.*").alias("s"), "t.ind = s.ind")
        .whenMatchedUpdateAll(
            "struct(s.source_offset, s.source_partition) > struct(t.source_offset, t.source_partition)"
        )
        .whenNotMatchedInsertAll()
        .execute()
    )


def _quarantine(spark: SparkSession, lake: Lake, kind: RecordKind, problems: DataFrame) -> None:
    """Add what is not there yet; looks only at the offsets of this batch."""
    columns = [column.name for column in QUARANTINE]
    rows = problems.select("*", "problem.*").withColumn("first_seen", F.current_timestamp()).select(*columns)
    first = rows.agg(F.min("source_offset")).collect()[0][0]
    here = ("source_topic", "source_partition", "source_offset")
    same = " and ".join((*(f"t.{name} = s.{name}" for name in here), f"t.source_offset >= {first}"))
    key = f"quarantine/{kind.name}"
    lake.create(key, QUARANTINE, PROPERTIES, metadata="{}")
    table = DeltaTable.forPath(spark, lake.path(key))
    table.alias("t").merge(rows.alias("s"), same).whenNotMatchedInsertAll().execute()


def _report(lake: Lake, kind: RecordKind, before: Progress, now: Progress, objects: int, seconds: float) -> Report:
    key = f"cleaned/{kind.name}"
    rows, quarantined = lake.rows(key), lake.rows(f"quarantine/{kind.name}")
    keys = lake.query(key, "select count(*) - count(distinct ind) as doubled, count(*) - count(ind) as missing from t")
    doubled, missing = keys["doubled"][0].as_py(), keys["missing"][0].as_py()
    totals = {
        "landed": now.landed,
        "published": rows,
        "superseded": now.superseded,
        "quarantined": quarantined,
        "unaccounted": now.landed - rows - now.superseded - quarantined,
    }
    run = {
        "new_objects": objects,
        "new_landed": now.landed - before.landed,
        "new_quarantined": now.quarantined - before.quarantined,
        "new_superseded": now.superseded - before.superseded,
    }
    checks = (
        Check("every_record_accounted_for", totals["unaccounted"] == 0, totals),
        Check("keys_unique_and_present", doubled == 0 and missing == 0, {"doubled": doubled, "missing": missing}),
    )
    return Report(key, rows, {**run, **totals, "seconds": round(seconds, 2), "preview": lake.preview(key)}, checks)
