"""Make the cleaned tables and the quarantine anew from the landed objects alone.

They are made beside the tables that are there, by the same cleaning, and then take their place in one commit a table:
readers see the old table or the new one. A crash before that leaves the old tables; run it again, it begins anew.
After a crash between the commits of a quarantine and of its cleaned table, the counts do not add up until it has run.
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
    """Clean all landed objects of each topic again, and put the outcome into the place of its tables."""
    beside = replace(lake, root=f"rebuild/{uuid.uuid4().hex}")
    try:
        list(clean_topics(session, beside, store, topics))
        for record_type in topics.values():
            _take_place(session().newSession(), lake, beside, record_type)
    finally:
        store.remove(f"{beside.root}/")
    yield from clean_topics(session, lake, store, topics)


def _take_place(spark: SparkSession, lake: Lake, beside: Lake, record_type: RecordType) -> None:
    cleaned, quarantine = f"cleaned/{record_type.name}", f"quarantine/{record_type.name}"
    if any(place.snapshot(quarantine) is not None for place in (lake, beside)):
        for place in (lake, beside):
            place.ensure(quarantine, TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        overwrite(_first_seen_as_before(spark, lake, beside, quarantine), lake, quarantine, metadata="{}")
    before, after = lake.snapshot(cleaned), beside.existing(cleaned)
    advanced = replace(CleaningProgress.of(after), batch=CleaningProgress.of(before).batch + 1)
    metadata = advanced.metadata(accepted=after.rows)
    with commit_metadata(spark, metadata, advanced.batch):
        overwrite(_read(spark, beside, cleaned), lake, cleaned, metadata)


def _first_seen_as_before(spark: SparkSession, lake: Lake, beside: Lake, key: str) -> DataFrame:
    position = [column.name for column in SOURCE_POSITION]
    after = _read(spark, beside, key)
    before = _read(spark, lake, key).select(*position, F.col("first_seen").alias("seen_before"))
    comment = after.schema["first_seen"].metadata
    first_seen = F.coalesce("seen_before", "first_seen").alias("first_seen", metadata=comment)
    joined = after.join(before, position, "left")
    return joined.select(*(first_seen if name == "first_seen" else F.col(name) for name in after.columns))


def _read(spark: SparkSession, lake: Lake, key: str) -> DataFrame:
    return spark.read.format("delta").load(lake.path(key))
