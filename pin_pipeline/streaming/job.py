"""Main function of a streaming job: runs its queries and writes heartbeats until SIGTERM, or until a query fails."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline.errors import PipelineError
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.spark.classify import warm_up
from pin_pipeline.streaming.jobs import StreamingJob, streaming_job
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, HeartbeatError, Heartbeats
from pin_pipeline.streaming.supervision.progress_listener import ProgressListener, summarize_error

HEARTBEAT_SECONDS = 2.0
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger(__name__)


class StreamingJobError(PipelineError):
    """Raised when a query of a streaming job ends without being asked to."""


def main(name: str, session_factory: Callable[[Settings], SparkSession]) -> None:
    """Run a streaming job until it receives SIGTERM or SIGINT.

    Args:
        name: a key of `STREAMING_JOBS`.
        session_factory: creates the Spark session for the settings of the environment.

    Raises:
        UnknownStreamingJobError: no job has this name.
        StreamingJobError: one of the job's queries ended.
    """
    stop = _stop_request()
    settings = Settings.load()
    job, heartbeats = streaming_job(name), Heartbeats.of(settings)
    listener = ProgressListener(job.name)
    preparation = threading.Thread(target=_prepare, args=(heartbeats, listener))
    preparation.start()  # in parallel to the start of the JVM
    try:
        _run_queries(job, session_factory(settings), settings, heartbeats, listener, stop)
    except Exception as error:
        preparation.join()  # its heartbeat must not overwrite the failure
        error_type = "" if isinstance(error, StreamingJobError) else f"{type(error).__name__}: "
        _write(heartbeats, replace(listener.heartbeat(), failure=summarize_error(f"{error_type}{error}")))
        raise


def _stop_request() -> threading.Event:
    """Return an event that a stop signal sets, however long Spark takes to start.

    Signals reach the whole process group. The JVM inherits that they are blocked and, with the option -Xrs, keeps them
    blocked, so only this process stops it.
    """
    stop = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def wait() -> None:
        signal.sigwait(STOP_SIGNALS)
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop


def _prepare(heartbeats: Heartbeats, listener: ProgressListener) -> None:
    with suppress(HeartbeatError):  # writing reports it
        previous = heartbeats.read(listener.job)
        listener.stopped_at = previous.stopped_at if previous else None
    _write(heartbeats, listener.heartbeat())
    import_module("pin_pipeline.streaming.queries")


def _run_queries(
    job: StreamingJob,
    spark: SparkSession,
    settings: Settings,
    heartbeats: Heartbeats,
    listener: ProgressListener,
    stop: threading.Event,
) -> None:
    from pin_pipeline.streaming import queries  # noqa: PLC0415 - see `_prepare`

    spark.streams.addListener(listener)
    threading.Thread(target=warm_up, args=(PIN, spark), daemon=True).start()  # in parallel to query planning
    running = queries.start(job, spark, settings)
    while not stop.wait(HEARTBEAT_SECONDS):
        _write(heartbeats, listener.heartbeat())
        _verify(running)  # when one query has ended, the others end with the process
    listener.stopped_at = datetime.now(UTC)
    _write(heartbeats, listener.heartbeat())
    for query in running:
        query.stop()
    spark.stop()


def _verify(running: Sequence[StreamingQuery]) -> None:
    try:
        for query in running:
            if not query.isActive:
                raise StreamingJobError(f"query {query.name} ended: {summarize_error(str(query.exception()))}")
    except (Py4JError, ConnectionError) as error:
        raise StreamingJobError(
            "the Spark JVM exited: it ran out of memory, or a user killed it; see the log of the job"
        ) from error


def _write(heartbeats: Heartbeats, heartbeat: Heartbeat) -> None:
    """Write a heartbeat; log failures only, because the supervisor already reports heartbeats that are missing."""
    try:
        heartbeats.write(heartbeat)
    except HeartbeatError as error:
        log.warning("%s", error)
