"""Streaming part of the demo: posts by Kinesis and by Kafka, until their rows are in Delta and Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from statistics import median

from pin_pipeline.cli.console import Timings, stage
from pin_pipeline.cli.rows import Row
from pin_pipeline.emulator.emulator import create_pace, emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import StreamSink, TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.local.waiting import wait_until
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.shard_progress import ShardProgress
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats

POSTS, POSTS_PER_SECOND, SEED = 100, 20.0, 200
WARM_UP_POSTS = 20
TIMEOUT_SECONDS = 120
MAX_COMMITS = 100
"""Commits of a table that are read; a demonstration makes far fewer."""
DELTA_TABLES, POSTGRES_TABLE = STREAMING_JOBS["kinesis_to_delta"].tables, "realtime/experimental_data"
LATENCIES = "SELECT extract(epoch FROM written_at - posted_at)::float FROM experimental_data WHERE posted_at > %s"


@dataclass(frozen=True)
class NewRows:
    """Number of rows added to a table, and their latencies from post to commit in seconds."""

    rows: int
    latencies: list[float]


def run(settings: Settings, timings: Timings) -> list[Row]:
    """Start the streaming jobs, post, measure the latencies, and stop the jobs that were started.

    Returns:
        The latencies of each table.

    Raises:
        LocalError: the rows are not in the tables within `TIMEOUT_SECONDS`.
    """
    jobs, heartbeats = LocalStreamingJobs(settings.home), Heartbeats.of(settings)
    begin = datetime.now(UTC)
    started = [name for name in STREAMING_JOBS if jobs.start(name)]
    try:
        with stage(timings, "streams: start"):
            _wait(settings, lambda: _idle(heartbeats, begin))
            _post_and_wait(settings, WARM_UP_POSTS)  # Spark compiles the first micro-batches
        with stage(timings, f"streams: {POSTS} posts by Kinesis and {POSTS} by Kafka"):
            return _latencies(_post_and_wait(settings, POSTS))
    finally:
        for name in started:
            jobs.stop(name)


def _idle(heartbeats: Heartbeats, since: datetime) -> bool:
    """Return whether every query has started and read everything there is."""
    for name, job in STREAMING_JOBS.items():
        heartbeat = heartbeats.read(name)
        if heartbeat is None or heartbeat.at < since or heartbeat.queries.keys() != set(job.tables):
            return False
        if any(query.records_per_second for query in heartbeat.queries.values()):
            return False
    return True


def _post_and_wait(settings: Settings, posts: int) -> Mapping[str, NewRows]:
    """Post, wait until all rows are in all tables, and return them by table."""
    since = datetime.now(UTC)
    _post(settings, posts)
    _wait(settings, lambda: all(new.rows >= posts for new in _new_rows(settings, since).values()))
    return _new_rows(settings, since)


def _post(settings: Settings, posts: int) -> None:
    database = SourceDatabase.of(settings)
    with Gateway.of(settings) as gateway, ThreadPoolExecutor() as pool:
        sinks = (
            StreamSink(gateway, {record_type: settings.stream(record_type) for record_type in RECORD_TYPES}),
            TopicSink(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}),
        )
        pace = create_pace(POSTS_PER_SECOND, paced=False)
        runs = [pool.submit(emulate, database, sink, Draws(posts, SEED), lambda _: None, pace=pace) for sink in sinks]
        for each in runs:
            each.result()


def _new_rows(settings: Settings, since: datetime) -> Mapping[str, NewRows]:
    lake = Lake.of(settings)
    return {key: _delta_rows(lake, key, since) for key in DELTA_TABLES} | {
        POSTGRES_TABLE: _postgres_rows(settings, since)
    }


def _delta_rows(lake: Lake, key: str, since: datetime) -> NewRows:
    last_commits = islice(lake.load(key).commits(), MAX_COMMITS)
    commits = [(commit.at, ShardProgress(**commit.metadata)) for commit in last_commits]
    new = [(at, progress) for at, progress in commits if at > since]
    before = max((progress.records for at, progress in commits if at <= since), default=0)
    latencies = [lag for at, progress in new if (lag := progress.lag(at)) is not None]
    return NewRows(max((progress.records for _, progress in new), default=0) - before, latencies)


def _postgres_rows(settings: Settings, since: datetime) -> NewRows:
    with Postgres(settings.postgres_url).transaction() as connection:
        latencies = [latency for (latency,) in connection.execute(LATENCIES, [since])]
    return NewRows(len(latencies), latencies)


def _wait(settings: Settings, reached: Callable[[], bool]) -> None:
    message = f"the rows did not arrive within {TIMEOUT_SECONDS} s: see {settings.home / 'logs'}"
    wait_until(reached, TIMEOUT_SECONDS, message, error=LocalError)


def _latencies(new_rows: Mapping[str, NewRows]) -> list[Row]:
    return [
        {
            "table": key,
            "posts": POSTS,
            "rows": new.rows,
            "median_latency_seconds": round(median(new.latencies), 1),
            "max_latency_seconds": round(max(new.latencies), 1),
        }
        for key, new in new_rows.items()
    ]
