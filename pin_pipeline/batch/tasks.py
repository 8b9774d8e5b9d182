"""What is to be done to the lake: plain data, so that it can be sent to wherever Spark runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from pin_pipeline.batch.cleaning import clean_topics
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
        topics: the record kind of each topic, by name.
        replay: judge the records in quarantine again.
        rebuild: make the tables and the quarantine anew from all landed objects.
    """

    topics: Mapping[str, str]
    replay: bool = False
    rebuild: bool = False

    def run(self, session: Callable[[], SparkSession], lake: Lake, store: ObjectStore) -> Iterator[Report]:
        """Do it; starts Spark only when there is something to do for it."""
        topics = {topic: RECORD_TYPES[record_type] for topic, record_type in self.topics.items()}
        if self.rebuild:
            return rebuild(session, lake, store, topics)
        return clean_topics(session, lake, store, topics, replay=self.replay)


@dataclass(frozen=True)
class QueryTask:
    """Bring the answers of queries, given by name, up to date."""

    queries: tuple[str, ...]

    def run(self, session: Callable[[], SparkSession], lake: Lake, _store: ObjectStore) -> Iterator[Report]:
        """Do it; starts Spark only where what a query reads has changed."""
        return run_queries(session, lake, [QUERIES[name] for name in self.queries])


BatchTask = CleanTask | QueryTask
