"""The process of a streaming job: `python -m pin_pipeline.streaming.job NAME`.

It runs until it is told to stop (SIGTERM), or until one of its queries fails, and says how it is all the while.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline import settings as environment
from pin_pipeline.local import jars
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.spark.classify import warm_up
from pin_pipeline.spark.session import streaming_conf
from pin_pipeline.streaming.jobs import StreamingJob, streaming_job
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, HeartbeatError, Heartbeats
from pin_pipeline.streaming.supervision.progress_listener import ProgressListener, one_line

HEARTBEAT_SECONDS = 2.0
STOP = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger(__name__)


class StreamingJobError(Exception):
    """A streaming job ended by itself; says why."""


def main(name: str, session: Callable[[Settings], SparkSession]) -> None:
    """Run a job of the fleet until it is told to stop.

    Raises:
        StreamingJobError: one of its queries ended.
    """
    # Whoever stops us tells the whole process group. The JVM inherits that the signal is ignored, and so leaves it to
    # us when it stops; and as we block it too, it waits for us, however long Spark takes to start.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings = environment.load()
    job, heartbeats = streaming_job(name), Heartbeats.of(settings)
    listener = ProgressListener(job.name)
    preparing = threading.Thread(target=_prepare, args=(heartbeats, listener))
    preparing.start()  # while the JVM starts
    try:
        _run_queries(job, session(settings), settings, heartbeats, listener)
    except Exception as error:
        preparing.join()  # which must not have the last word
        record_type = "" if isinstance(error, StreamingJobError) else f"{type(error).__name__}: "
        _write(heartbeats, replace(listener.heartbeat(), failure=one_line(f"{record_type}{error}")))
        raise


def _prepare(heartbeats: Heartbeats, listener: ProgressListener) -> None:
    _write(heartbeats, listener.heartbeat())
    import_module("pin_pipeline.streaming.queries")


def _run_queries(
    job: StreamingJob, spark: SparkSession, settings: Settings, heartbeats: Heartbeats, listener: ProgressListener
) -> None:
    from pin_pipeline.streaming import queries  # noqa: PLC0415 - see `_prepare`

    spark.streams.addListener(listener)
    threading.Thread(target=warm_up, args=(PIN, spark), daemon=True).start()  # while the queries are planned
    running = queries.start(job, spark, settings)
    while not signal.sigtimedwait(STOP, HEARTBEAT_SECONDS):
        _write(heartbeats, listener.heartbeat())
        _verify(running)  # where one ended, the others end with the process
    _write(heartbeats, listener.heartbeat())
    for query in running:
        query.stop()
    spark.stop()


def _verify(running: Sequence[StreamingQuery]) -> None:
    try:
        for query in running:
            if not query.isActive:
                raise StreamingJobError(f"query {query.name} ended: {one_line(str(query.exception()))}")
    except (Py4JError, ConnectionError) as error:
        raise StreamingJobError("the JVM of Spark is gone: out of memory, or somebody killed it") from error


def local_session(settings: Settings) -> SparkSession:
    """A Spark session on this machine for a job that lasts."""
    conf = streaming_conf(jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    builder = SparkSession.builder
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _write(heartbeats: Heartbeats, heartbeat: Heartbeat) -> None:
    """A heartbeat that cannot be written is no reason to stop: its absence says as much."""
    try:
        heartbeats.write(heartbeat)
    except HeartbeatError as error:
        log.warning("%s", error)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    main(sys.argv[1], local_session)
