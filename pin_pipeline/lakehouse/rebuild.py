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

from pin_pipeline.lakehouse.clean import clean
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.progress import Progress
from pin_pipeline.lakehouse.report import Report
from pin_pipeline.lakehouse.tables import PROPERTIES, commit_metadata, overwrite
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import RecordKind
from pin_pipeline.records.positions import QUARANTINE, SOURCE_POSITION


def rebuild(
    session: Callable[[], SparkSession], lake: Lake, store: ObjectStore, topics: Mapping[str, RecordKind]
) -> Iterator[Report]:
    """Clean all landed objects of each topic again, and put the outcome into the place of its tables."""
    beside = replace(lake, root=f"rebuild/{uuid.uuid4().hex}")
    try:
        list(clean(session, beside, store, topics))
        for kind in topics.values():
            _take_place(session().newSession(), lake, beside, kind)
    finally:
        store.remove(f"{beside.root}/")
    yield from clean(session, lake, store, topics)


def _take_place(spark: SparkSession, lake: Lake, beside: Lake, kind: RecordKind) -> None:
    cleaned, quarantine = f"cleaned/{kind.name}", f"quarantine/{kind.name}"
    if any(place.snapshot(quarantine) is not None for place in (lake, beside)):
        for place in (lake, beside):
            place.ensure(quarantine, QUARANTINE, PROPERTIES, metadata="{}")
        overwrite(_first_seen_as_before(spark, lake, beside, quarantine), lake, quarantine, metadata="{}")
    before, after = lake.snapshot(cleaned), beside.existing(cleaned)
    advanced = replace(Progress.of(after), batch=Progress.of(before).batch + 1)
    metadata = advanced.metadata(fit=after.rows)
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
