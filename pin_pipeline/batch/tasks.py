"""Batch tasks as plain data, so that they can be sent to a remote Spark cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.batch.rebuild import rebuild
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.reports import Report
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore


@dataclass(frozen=True)
class CleanTask:
    """Bring cleaned tables up to date.

    Attributes:
        topics: name of the record type of each topic.
        replay: re-validate quarantined records by the current rules, and publish those that are accepted.
        rebuild: rebuild the tables and the quarantine from all landed objects.
    """

    topics: Mapping[str, str]
    replay: bool = False
    rebuild: bool = False

    def run(self, engine: BatchEngine[Any], lake: Lake, store: ObjectStore) -> Iterator[Report]:
        """Run the task; the engine is used only if there are records to process."""
        topics = {topic: RECORD_TYPES[record_type] for topic, record_type in self.topics.items()}
        if self.rebuild:
            return rebuild(engine, lake, store, topics)
        return clean_topics(engine, lake, store, topics, replay=self.replay)


@dataclass(frozen=True)
class QueryTask:
    """Bring the result tables of queries up to date.

    Attributes:
        queries: names of the queries.
    """

    queries: tuple[str, ...]

    def run(self, engine: BatchEngine[Any], lake: Lake, _store: ObjectStore) -> Iterator[Report]:
        """Run the task; the engine is used only if an input of a query has changed."""
        return run_queries(engine, lake, [QUERIES[name] for name in self.queries])


BatchTask = CleanTask | QueryTask


def run_embedded(task: BatchTask, lake: Lake, store: ObjectStore) -> Iterator[Report]:
    """Run a task on the embedded engine, in this process."""
    from pin_pipeline.batch.engines.embedded import EmbeddedEngine  # noqa: PLC0415 - not needed on a cluster

    return task.run(EmbeddedEngine(), lake, store)
