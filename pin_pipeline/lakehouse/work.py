"""What is to be done to the lake: plain data, so that it can be sent to wherever Spark runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession

from pin_pipeline.lakehouse.answer import answer
from pin_pipeline.lakehouse.clean import clean
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.queries import QUERIES
from pin_pipeline.lakehouse.rebuild import rebuild
from pin_pipeline.lakehouse.report import Report
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import KINDS


@dataclass(frozen=True)
class Clean:
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
        topics = {topic: KINDS[kind] for topic, kind in self.topics.items()}
        if self.rebuild:
            return rebuild(session, lake, store, topics)
        return clean(session, lake, store, topics, replay=self.replay)


@dataclass(frozen=True)
class Answer:
    """Bring the answers of queries, given by name, up to date."""

    queries: tuple[str, ...]

    def run(self, session: Callable[[], SparkSession], lake: Lake, _store: ObjectStore) -> Iterator[Report]:
        """Do it; starts Spark only where what a query reads has changed."""
        return answer(session, lake, [QUERIES[name] for name in self.queries])


Work = Clean | Answer
