"""Batch tasks as plain data, so that they can be sent to a remote Spark cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.reports import Report
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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

    def run(self, session: Callable[[], SparkSession], lake: Lake, store: ObjectStore) -> Iterator[Report]:
        """Run the task; starts Spark only if there are records to process."""
        from pin_pipeline.batch.cleaning import clean_topics  # noqa: PLC0415 - only the engine needs PySpark
        from pin_pipeline.batch.rebuild import rebuild  # noqa: PLC0415

        topics = {topic: RECORD_TYPES[record_type] for topic, record_type in self.topics.items()}
        if self.rebuild:
            return rebuild(session, lake, store, topics)
        return clean_topics(session, lake, store, topics, replay=self.replay)


@dataclass(frozen=True)
class QueryTask:
    """Bring the result tables of queries up to date.

    Attributes:
        queries: names of the queries.
    """

    queries: tuple[str, ...]

    def run(self, session: Callable[[], SparkSession], lake: Lake, _store: ObjectStore) -> Iterator[Report]:
        """Run the task; starts Spark only if an input of a query has changed."""
        from pin_pipeline.batch.query_runner import run_queries  # noqa: PLC0415 - only the engine needs PySpark

        return run_queries(session, lake, [QUERIES[name] for name in self.queries])


BatchTask = CleanTask | QueryTask
