"""What the queries of a streaming job report, gathered into heartbeats."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
    StreamingQueryProgress,
)

from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, QueryProgress

ARRIVALS = "arrivals"
TRACEBACK = "Traceback (most recent call last):"
PASSWORD = re.compile(r"://[^/@\s]*@")
LONGEST = 500


def observe_arrivals(frame: DataFrame, arrived_at: Column) -> DataFrame:
    """The frame of a query that is to report its lag: of each micro-batch it notices when the oldest record arrived."""
    return frame.observe(ARRIVALS, F.min(F.unix_millis(arrived_at)).alias("oldest"))


class ProgressListener(StreamingQueryListener):
    """Listens to the queries of this process; Spark calls it in a thread of its own."""

    def __init__(self, job: str) -> None:
        self._job, self._started_at = job, _now()
        self._names: dict[UUID, str] = {}
        self._queries: dict[str, QueryProgress] = {}

    def heartbeat(self) -> Heartbeat:
        """The heartbeat of now."""
        return Heartbeat(self._job, self._started_at, _now(), dict(self._queries))

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802 - Spark's name
        """A query runs."""
        self._names[event.id] = event.name or str(event.id)
        self._queries[self._names[event.id]] = QueryProgress(reported_at=_now())

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802 - Spark's name
        """A query has done a micro-batch."""
        name = self._names[event.progress.id]
        self._queries[name] = _after(self._queries[name], event.progress)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802 - Spark's name
        """A query looked, and there was nothing to read."""
        name = self._names[event.id]
        before = self._queries[name]
        self._queries[name] = replace(before, reported_at=_now(), records_per_second=0.0, lag_seconds=0.0)

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802 - Spark's name
        """A query has ended: the job itself looks for that, to be sure that it sees it."""


def one_line(error: str) -> str:
    """The line of an error that says what happened, without a Java or Python stack and without passwords."""
    *_, innermost = error.partition("\n\tat ")[0].rpartition(TRACEBACK)
    lines = [line for line in innermost.splitlines() if line and not line[0].isspace()]
    return PASSWORD.sub("://***@", lines[0])[:LONGEST] if lines else "without a word"


def _after(before: QueryProgress, progress: StreamingQueryProgress) -> QueryProgress:
    begun = datetime.fromisoformat(progress.timestamp)
    ended = begun + timedelta(milliseconds=progress.durationMs.get("triggerExecution", 0))
    if not progress.numInputRows:
        return replace(before, reported_at=ended, batch=progress.batchId, records_per_second=0.0, lag_seconds=0.0)
    observed = progress.observedMetrics.get(ARRIVALS)
    oldest = observed["oldest"] if observed else None
    return QueryProgress(
        reported_at=ended,
        batch=progress.batchId,
        records=before.records + progress.numInputRows,
        # Not Spark's own rate, which counts from the last time that it looked.
        records_per_second=progress.numInputRows / max(0.001, (ended - before.reported_at).total_seconds()),
        lag_seconds=None if oldest is None else max(0.0, ended.timestamp() - oldest / 1000),
        committed_at=ended,
    )


def _now() -> datetime:
    return datetime.now(UTC)
