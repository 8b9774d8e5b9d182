"""Rebuild of the cleaned tables and the quarantine from the landed objects alone.

The tables are built in a staging area by the same cleaning, and then replace the existing ones in one commit per table:
readers see the old table or the new one. A crash before that leaves the old tables in place, and the next run starts
from scratch. After a crash between the commits of a quarantine and of its cleaned table, the record counts do not
reconcile until a rebuild has finished.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Report
from pin_pipeline.spark.delta_writes import commit_metadata, overwrite
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress


def rebuild(
    session: Callable[[], SparkSession], lake: Lake, store: ObjectStore, topics: Mapping[str, RecordType]
) -> Iterator[Report]:
    """Clean all landed objects of each topic from scratch, and replace its tables by the result.

    Args:
        session: returns the Spark session.
        lake: location of the tables.
        store: location of the landed objects.
        topics: record type of each topic.
    """
    staging = replace(lake, root=f"rebuild/{uuid.uuid4().hex}")
    try:
        list(clean_topics(session, staging, store, topics))
        for record_type in topics.values():
            _replace_tables(session().newSession(), lake, staging, record_type)
    finally:
        store.delete_prefix(f"{staging.root}/")
    yield from clean_topics(session, lake, store, topics)


def _replace_tables(spark: SparkSession, lake: Lake, staging: Lake, record_type: RecordType) -> None:
    """Replace the quarantine, then the cleaned table of a record type by those in the staging area."""
    cleaned, quarantine = f"cleaned/{record_type.name}", f"quarantine/{record_type.name}"
    if any(each.snapshot(quarantine) is not None for each in (lake, staging)):
        for each in (lake, staging):
            each.ensure_table(quarantine, TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        overwrite(_with_earlier_first_seen(spark, lake, staging, quarantine), lake, quarantine, metadata="{}")
    before, after = lake.snapshot(cleaned), staging.require(cleaned)
    advanced = replace(CleaningProgress.of(after), batch=CleaningProgress.of(before).batch + 1)
    metadata = advanced.metadata(accepted=after.rows)
    with commit_metadata(spark, metadata, advanced.batch):
        overwrite(_read(spark, staging, cleaned), lake, cleaned, metadata)


def _with_earlier_first_seen(spark: SparkSession, lake: Lake, staging: Lake, key: str) -> DataFrame:
    """Return the rebuilt quarantine with the `first_seen` of the existing one for records that were in it."""
    position = [column.name for column in SOURCE_POSITION]
    after = _read(spark, staging, key)
    before = _read(spark, lake, key).select(*position, F.col("first_seen").alias("first_seen_before"))
    comment = after.schema["first_seen"].metadata
    first_seen = F.coalesce("first_seen_before", "first_seen").alias("first_seen", metadata=comment)
    joined = after.join(before, position, "left")
    return joined.select(*(first_seen if name == "first_seen" else F.col(name) for name in after.columns))


def _read(spark: SparkSession, lake: Lake, key: str) -> DataFrame:
    return spark.read.format("delta").load(lake.path(key))
