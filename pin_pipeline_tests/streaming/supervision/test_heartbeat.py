"""Heartbeats as S3 objects, and the progress of Spark queries in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.listener import QueryIdleEvent, QueryProgressEvent

from pin_pipeline.local.ports import free_port
from pin_pipeline.settings import Settings
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, HeartbeatError, Heartbeats, QueryProgress
from pin_pipeline.streaming.supervision.progress_listener import ProgressListener, observe_arrivals, summarize_error

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
FULL = Heartbeat(
    "kinesis_to_delta",
    NOW,
    NOW + timedelta(seconds=9),
    {"streams/pin": QueryProgress(NOW, 7, 1000, 12.5, 0.8, NOW), "streams/geo": QueryProgress(NOW)},
    "query streams/pin ended: no route",
)


@pytest.mark.parametrize("heartbeat", [FULL, Heartbeat("kinesis_to_delta", NOW, NOW)])
def test_heartbeat_is_read_as_written(settings: Settings, heartbeat: Heartbeat) -> None:
    heartbeats = Heartbeats.of(settings)
    assert heartbeats.read("kinesis_to_delta") is None
    heartbeats.write(replace(heartbeat, failure="to be replaced"))
    heartbeats.write(heartbeat)
    assert heartbeats.read("kinesis_to_delta") == heartbeat
    assert heartbeats.read("kafka_to_postgres") is None


def test_unreadable_heartbeat_is_an_error_and_not_missing(settings: Settings) -> None:
    heartbeats = Heartbeats.of(settings)
    heartbeats.client.put_object(Bucket=settings.bucket, Key="streams/heartbeats/job.json", Body=b'{"job": 1}')
    with pytest.raises(HeartbeatError, match=f"could not read the heartbeat s3://{settings.bucket}/streams/"):
        heartbeats.read("job")
    with pytest.raises(HeartbeatError, match="NoSuchBucket"):
        replace(heartbeats, bucket="nowhere").read("job")
    away = Heartbeats.of(settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{free_port()}"}))
    with pytest.raises(HeartbeatError, match="check that S3 is running"):
        away.read("job")
    with pytest.raises(HeartbeatError, match="could not write"):
        away.write(FULL)


class SignallingListener(ProgressListener):
    """Listener that signals each micro-batch, and that a query has become idle."""

    def __init__(self) -> None:
        super().__init__("job")
        self.read: SimpleQueue[Heartbeat] = SimpleQueue()
        self.idle = Event()

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        super().onQueryProgress(event)
        self.read.put(self.heartbeat())

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        super().onQueryIdle(event)
        self.idle.set()


@pytest.fixture
def listener(spark: SparkSession) -> Iterator[SignallingListener]:
    spark.conf.set("spark.sql.streaming.noDataProgressEventInterval", "100")
    listener = SignallingListener()
    spark.streams.addListener(listener)
    yield listener
    spark.streams.removeListener(listener)
    spark.conf.unset("spark.sql.streaming.noDataProgressEventInterval")


def test_query_reports_its_progress_and_the_lag_of_its_oldest_record(
    spark: SparkSession, listener: SignallingListener, tmp_path: Path
) -> None:
    arrived = datetime.now(UTC) - timedelta(seconds=100)
    folder = tmp_path / "in"
    folder.mkdir()

    def add(name: str, *ages: int) -> None:
        lines = [f'{{"at": {arrived.timestamp() + 100 - age}}}\n' for age in ages]
        (tmp_path / name).write_text("".join(lines))
        (tmp_path / name).rename(folder / name)

    def use(batch: DataFrame, _: int) -> None:
        batch.write.format("noop").mode("append").save()

    add("first.json", 100, 7, 50)
    frame = observe_arrivals(spark.readStream.schema("at double").json(str(folder)), F.timestamp_seconds("at"))
    query = frame.writeStream.foreachBatch(use).queryName("streams/pin").start()
    try:
        first = listener.read.get(timeout=60).queries["streams/pin"]
        assert (first.batch, first.records) == (0, 3)
        assert first.committed_at
        assert first.lag_seconds == pytest.approx((first.committed_at - arrived).total_seconds(), abs=0.1)
        assert first.records_per_second > 0
        listener.idle.clear()
        assert listener.idle.wait(60)
        idle = listener.heartbeat().queries["streams/pin"]
        assert (idle.records_per_second, idle.lag_seconds) == (0, 0)
        assert (idle.records, idle.committed_at) == (3, first.committed_at)
        assert idle.reported_at > first.reported_at
        add("second.json", 2)
        second = listener.read.get(timeout=60).queries["streams/pin"]
        assert (second.batch, second.records) == (1, 4)
        assert second.committed_at
        assert second.committed_at > first.committed_at
    finally:
        query.stop()


PYTHON = 'failed: Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nOSError: a\nb\n\n\tat x'
CHAINED = (
    "Traceback (most recent call last):\n  f\nKeyError: 1\n\nDuring handling of the above exception, another exception "
    "occurred:\n\nTraceback (most recent call last):\n  g\nOSError: b\n"
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("no such table", "no such table"),
        ("no such table\n\tat a.B.c(B.java:1)\n", "no such table"),
        (PYTHON, "OSError: a"),
        (CHAINED, "OSError: b"),
        ("at postgresql://ada:secret@host/db", "at postgresql://***@host/db"),
        ("", "no error message"),
        ("x" * 1000, "x" * 500),
    ],
)
def test_error_summary_is_the_line_with_the_cause(error: str, line: str) -> None:
    assert summarize_error(error) == line
