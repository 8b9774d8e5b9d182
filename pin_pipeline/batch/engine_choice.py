"""Choice of the batch engine for one step, by the bytes that the step reads and rewrites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pin_pipeline.batch.query_runner import changed_queries
from pin_pipeline.batch.tasks import BatchTask, CleanTask
from pin_pipeline.quarantine.schema import topic_quarantine_key
from pin_pipeline.reports import Report
from pin_pipeline.settings import BatchEngineName
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

MEBIBYTE = 2**20

REPLAY_FACTOR = 8
"""A replay holds all quarantined records in memory, as JSON: 29 MiB of quarantine files took 625 MiB."""


@dataclass(frozen=True)
class EngineChoice:
    """The engine of a step, and why it was chosen."""

    engine: Literal["embedded", "spark"]
    reason: str

    def label(self, report: Report) -> Report:
        """Return a report with the engine that computed it, and the reason of the choice."""
        return replace(report, metadata={**report.metadata, "engine": self.engine, "engine_reason": self.reason})


def choose_engine(
    task: BatchTask, lake: Lake, store: ObjectStore, setting: BatchEngineName, max_embedded_bytes: int
) -> EngineChoice:
    """Choose the engine of a step.

    Args:
        task: the work of the step.
        lake: location of the tables.
        store: location of the landed objects.
        setting: `auto`, or the engine to use whatever the size.
        max_embedded_bytes: work of more bytes runs on Spark.
    """
    if setting != "auto":
        return EngineChoice(setting, f"PIN_BATCH_ENGINE is {setting}")
    total = _clean_bytes(task, lake, store) if isinstance(task, CleanTask) else _query_bytes(task.queries, lake)
    if not total:
        return EngineChoice("embedded", "no new data")
    size, limit = f"{total / MEBIBYTE:.1f} MiB", f"{max_embedded_bytes / MEBIBYTE:g} MiB"
    if total <= max_embedded_bytes:
        return EngineChoice("embedded", f"{size} to read and rewrite, at most {limit}")
    return EngineChoice("spark", f"{size} to read and rewrite, more than {limit}")


def _clean_bytes(task: CleanTask, lake: Lake, store: ObjectStore) -> int:
    """Return the size of the objects to read, and of the tables that are rewritten for them."""
    return sum(_topic_bytes(task, lake, store, topic, record_type) for topic, record_type in task.topics.items())


def _topic_bytes(task: CleanTask, lake: Lake, store: ObjectStore, topic: str, record_type: str) -> int:
    table, quarantine = lake.snapshot(f"cleaned/{record_type}"), lake.snapshot(topic_quarantine_key(record_type))
    progress = CleaningProgress() if task.rebuild else CleaningProgress.of(table)
    total = progress.new_bytes(store, topic)
    if task.replay and quarantine is not None:
        total += REPLAY_FACTOR * quarantine.bytes
    return total + table.bytes if total and table is not None else total


def _query_bytes(names: tuple[str, ...], lake: Lake) -> int:
    """Return the size of the tables that the changed queries read; each table counts once."""
    inputs: Mapping[str, int] = {
        name: lake.require(f"cleaned/{name}").bytes for query in changed_queries(names, lake) for name in query.inputs
    }
    return sum(inputs.values())
