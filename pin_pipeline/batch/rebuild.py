"""Rebuild of the cleaned tables and the quarantine from the landed objects alone.

The tables are built in a staging area by the same cleaning, and then replace the existing ones in one commit per table:
readers see the old table or the new one. A crash before that leaves the old tables in place, and the next run starts
from scratch. After a crash between the commits of a quarantine and of its cleaned table, the record counts do not
reconcile until a rebuild has finished.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.parallel import check_interrupted, in_parallel
from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE, topic_quarantine_key
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Report
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress


def rebuild(
    engine: BatchEngine[Any], lake: Lake, store: ObjectStore, topics: Mapping[str, RecordType]
) -> Iterator[Report]:
    """Clean all landed objects of each topic from scratch, and replace its tables by the result.

    Args:
        engine: executes the steps.
        lake: location of the tables.
        store: location of the landed objects.
        topics: record type of each topic.
    """
    staging = replace(lake, root=f"rebuild/{uuid.uuid4().hex}")
    try:
        list(clean_topics(engine, staging, store, topics))
        # A task of its own, so that an interrupt ends it before the staging area is deleted.
        list(in_parallel([lambda: _replace_all_tables(engine, lake, staging, topics.values())], engine.cancel))
    finally:
        store.delete_prefix(f"{staging.root}/")
    yield from clean_topics(engine, lake, store, topics)


def _replace_all_tables(
    engine: BatchEngine[Any], lake: Lake, staging: Lake, record_types: Collection[RecordType]
) -> None:
    for record_type in record_types:
        check_interrupted()
        _replace_tables(engine, lake, staging, record_type)


def _replace_tables(engine: BatchEngine[Any], lake: Lake, staging: Lake, record_type: RecordType) -> None:
    """Replace the quarantine, then the cleaned table of a record type by those in the staging area."""
    cleaned, quarantine = f"cleaned/{record_type.name}", topic_quarantine_key(record_type.name)
    if any(each.snapshot(quarantine) is not None for each in (lake, staging)):
        for each in (lake, staging):
            each.ensure_table(quarantine, TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        engine.replace_quarantine(record_type, lake, staging)
    columns = (*record_type.columns, *SOURCE_POSITION)
    # An existing table may have columns of other types: they are replaced as well.
    table = lake.snapshot(cleaned) or lake.ensure_table(cleaned, columns, PROPERTIES, CleaningProgress().metadata())
    batch = CleaningProgress.of(table).batch + 1
    progress = replace(CleaningProgress.of(staging.require(cleaned)), batch=batch)
    engine.replace_cleaned(record_type, lake, staging, progress)
