"""Spark listener that collects the progress of a streaming job's queries for its heartbeat."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
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
MAX_ERROR_CHARACTERS = 500


def observe_arrivals(frame: DataFrame, arrived_at: Column) -> DataFrame:
    """Return the frame of a query with a metric that the lag is computed from: the oldest arrival per micro-batch."""
    return frame.observe(ARRIVALS, F.min(F.unix_millis(arrived_at)).alias("oldest"))


class ProgressListener(StreamingQueryListener):
    """Listener for the queries of this process. Spark calls it in a separate thread.

    Attributes:
        job: name of the streaming job.
        stopped_at: when a process of the job last ended because it was told to.
    """

    def __init__(self, job: str) -> None:
        self.job, self._started_at = job, _now()
        self.stopped_at: datetime | None = None
        self._names: dict[UUID, str] = {}
        self._queries: dict[str, QueryProgress] = {}

    def heartbeat(self) -> Heartbeat:
        """Return a heartbeat with the current progress of each query."""
        return Heartbeat(self.job, self._started_at, _now(), dict(self._queries), stopped_at=self.stopped_at)

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802 - Spark's name
        """Record that a query started."""
        self._names[event.id] = event.name or str(event.id)
        self._queries[self._names[event.id]] = QueryProgress(reported_at=_now())

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802 - Spark's name
        """Record that a query finished a micro-batch."""
        name = self._names[event.progress.id]
        self._queries[name] = _add_batch(self._queries[name], event.progress)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802 - Spark's name
        """Record that a query found no records to read."""
        name = self._names[event.id]
        before = self._queries[name]
        self._queries[name] = replace(before, reported_at=_now(), records_per_second=0.0, lag_seconds=0.0)

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802 - Spark's name
        """Ignore the event: it arrives asynchronously, so the job itself polls whether its queries are active."""


def summarize_error(error: str) -> str:
    """Return the first line of the innermost error, without Java and Python stack traces and without passwords."""
    *_, innermost = error.partition("\n\tat ")[0].rpartition(TRACEBACK)
    lines = [line for line in innermost.splitlines() if line and not line[0].isspace()]
    return PASSWORD.sub("://***@", lines[0])[:MAX_ERROR_CHARACTERS] if lines else "no error message"


def _add_batch(before: QueryProgress, progress: StreamingQueryProgress) -> QueryProgress:
    started_at = datetime.fromisoformat(progress.timestamp)
    ended_at = started_at + timedelta(milliseconds=progress.durationMs.get("triggerExecution", 0))
    if not progress.numInputRows:
        return replace(before, reported_at=ended_at, batch=progress.batchId, records_per_second=0.0, lag_seconds=0.0)
    metrics = progress.observedMetrics.get(ARRIVALS)
    oldest = metrics["oldest"] if metrics else None
    return QueryProgress(
        reported_at=ended_at,
        batch=progress.batchId,
        records=before.records + progress.numInputRows,
        # Spark's own rate includes the time since its previous poll.
        records_per_second=progress.numInputRows / max(0.001, (ended_at - before.reported_at).total_seconds()),
        lag_seconds=None if oldest is None else max(0.0, ended_at.timestamp() - oldest / 1000),
        committed_at=ended_at,
    )


def _now() -> datetime:
    return datetime.now(UTC)
