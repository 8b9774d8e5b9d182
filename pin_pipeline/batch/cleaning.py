"""Cleaning: publishes the accepted records of new objects, and quarantines the rejected ones.

A batch of objects is processed in two commits. Rejected records are quarantined first, keyed by source position; then
accepted records and progress are committed to the cleaned table together. After a crash between the two, the batch is
read again, and adding the same records to the quarantine again has no effect. Both engines follow this order, so that
one can continue what the other has begun.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pin_pipeline.batch.batch_stats import batch_checks
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.parallel import check_interrupted, in_parallel
from pin_pipeline.batch.progress_refresh import refresh_progress
from pin_pipeline.batch.quarantine_table import QuarantineTable
from pin_pipeline.batch.vacuum import vacuum_if_due
from pin_pipeline.records import RecordType
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.reports import Check, Metadata, Report
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

ATTEMPTS = 5
"""Consecutive commit conflicts after which a run fails."""

OBJECTS_PER_BATCH = 10_000

log = logging.getLogger(__name__)


def clean_topics(
    engine: BatchEngine[Any],
    lake: Lake,
    store: ObjectStore,
    topics: Mapping[str, RecordType],
    *,
    replay: bool = False,
) -> Iterator[Report]:
    """Bring the cleaned table of each topic up to date, in parallel.

    Args:
        engine: executes the steps.
        lake: location of the cleaned tables and quarantines.
        store: location of the landed objects.
        topics: record type of each topic.
        replay: re-validate quarantined records by the current rules, and publish those that are accepted.

    Raises:
        Exception: one of the engine's conflicts, after other writers have committed first `ATTEMPTS` times in a row.
    """
    cleaners = [TableCleaner(engine, lake, store, record_type, topic) for topic, record_type in topics.items()]
    yield from in_parallel([partial(cleaner.run, replay=replay) for cleaner in cleaners], engine.cancel)


@dataclass(frozen=True)
class TableCleaner:
    """Cleaning of one topic into its cleaned table and its quarantine.

    Attributes:
        engine: executes the steps.
        lake: location of the cleaned table and the quarantine.
        store: location of the landed objects.
        record_type: type of the topic's records.
        topic: name of the topic.
    """

    engine: BatchEngine[Any]
    lake: Lake
    store: ObjectStore
    record_type: RecordType
    topic: str

    def run(self, *, replay: bool) -> Report:
        """Clean all new objects, and optionally replay the quarantine."""
        started = time.monotonic()
        columns = (*self.record_type.columns, *SOURCE_POSITION)
        before = self.lake.ensure_table(self.key, columns, PROPERTIES, CleaningProgress().metadata())
        quarantine_before = self.quarantine.snapshot()
        table, objects = self._repeat(before, self._clean_next_batch)
        replayed = 0
        if replay:
            table, replayed = self._repeat(table, self._replay)
        table = refresh_progress(self.lake, table)
        vacuum_if_due(self.lake, before, table)
        vacuum_if_due(self.lake, quarantine_before, self.quarantine.snapshot())
        return self._report(table, CleaningProgress.of(before), objects, replayed, time.monotonic() - started)

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
            except self.engine.conflicts:
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
        batch = list(self._next_batch(progress))
        if not batch:
            return 0
        check_interrupted()
        log.info("%s: reading %d new objects", self.key, len(batch))
        with self.engine.classify_objects(self.record_type, self.store, batch) as records:
            stats = self.engine.collect_stats(records)
            if stats.quarantined:
                self.engine.add_to_quarantine(self.record_type, self.lake, records)
            check_interrupted()
            accepted = stats.records - stats.quarantined
            self.engine.publish(self.record_type, self.lake, records, progress.after(batch, stats), accepted)
        return len(batch)

    def _next_batch(self, progress: CleaningProgress) -> Iterator[ObjectName]:
        """Yield the next new objects: one, and further ones up to the limits of a batch."""
        total, limit = 0, self.engine.max_batch_bytes
        for number, (name, size) in enumerate(progress.new_objects(self.store, self.topic)):
            total += size
            if number == OBJECTS_PER_BATCH or (number and limit is not None and total > limit):
                return
            yield name

    def _replay(self, progress: CleaningProgress) -> int:
        """Publish the quarantined records that the current rules accept; returns their number.

        The records are marked with the number of the commit that will publish them, published by that commit, and then
        removed. After a crash, a mark counts only if the progress of the cleaned table has the same number, which means
        that the marked records are published.
        """
        if not self.quarantine.has_rows():
            return 0
        self.engine.remove_published(self.record_type, self.lake, progress)
        with self.engine.classify_quarantine(self.record_type, self.lake) as records:
            stats = self.engine.collect_stats(records)
            accepted = stats.records - stats.quarantined
            self.engine.update_quarantine(self.record_type, self.lake, records, progress.batch + 1)
            if accepted:
                advanced = progress.after_replay(accepted)
                self.engine.publish(self.record_type, self.lake, records, advanced, accepted)
                self.engine.remove_published(self.record_type, self.lake, advanced)
                log.info("%s: published %d records from quarantine", self.key, accepted)
        return accepted

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
