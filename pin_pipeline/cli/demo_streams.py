"""A few seconds of the streams: posts go in by Kinesis and by Kafka, rows come out in Delta and in Postgres."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.console import Console
from rich.table import Table

from pin_pipeline.cli.demo import Timings, stage
from pin_pipeline.emulator.emulator import emulate, pace_of
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Streams, Topics
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.shard_progress import ShardProgress
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats

POSTS, POSTS_A_SECOND, SEED = 100, 20.0, 200
FIRST_POSTS = 20
LOOK_SECONDS, PATIENCE_SECONDS = 0.2, 120
DELTA, POSTGRES = STREAMING_JOBS["kinesis_to_delta"].tables, "realtime/experimental_data"


@dataclass(frozen=True)
class Came:
    """What came into a table: how many rows, and how long they were on their way, in seconds."""

    rows: int
    latencies: list[float]


def run(console: Console, settings: Settings, timings: Timings) -> None:
    """Start the streaming jobs, post for a few seconds, show what came of it, and stop the jobs that were started.

    Raises:
        LocalError: the streams do not come so far.
    """
    jobs, heartbeats, lake = LocalStreamingJobs(settings.home), Heartbeats.of(settings), Lake.of(settings)
    begin = datetime.now(UTC)
    started = [name for name in STREAMING_JOBS if jobs.start(name)]
    try:
        with stage(console, timings, "streams: start"):
            _wait(settings, lambda: _idle(heartbeats, begin))
            _through(settings, lake, FIRST_POSTS)  # Spark makes the code of its first micro-batches then
        with stage(console, timings, f"streams: {POSTS} posts by Kinesis and {POSTS} by Kafka"):
            came = _through(settings, lake, POSTS)
        console.print(_as_text(came))
    finally:
        for name in started:
            jobs.stop(name)


def _idle(heartbeats: Heartbeats, since: datetime) -> bool:
    """Whether every query runs, and has read all there is."""
    for name, job in STREAMING_JOBS.items():
        heartbeat = heartbeats.read(name)
        if heartbeat is None or heartbeat.at < since or heartbeat.queries.keys() != set(job.tables):
            return False
        if any(query.records_per_second for query in heartbeat.queries.values()):
            return False
    return True


def _through(settings: Settings, lake: Lake, posts: int) -> Mapping[str, Came]:
    """Post, and return what came of it into each table when all of it is there."""
    since = datetime.now(UTC)
    _post(settings, posts)
    _wait(settings, lambda: all(came.rows >= posts for came in _came(settings, lake, since).values()))
    return _came(settings, lake, since)


def _post(settings: Settings, posts: int) -> None:
    database = SourceDatabase(settings.source_url)
    with Gateway(settings.gateway_url) as gateway, ThreadPoolExecutor() as pool:
        sinks = (
            Streams(gateway, {record_type: settings.stream(record_type) for record_type in RECORD_TYPES}),
            Topics(gateway, {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}),
        )
        pace = pace_of(POSTS_A_SECOND, paced=False)
        ends = [pool.submit(emulate, database, sink, Draws(posts, SEED), lambda _: None, pace=pace) for sink in sinks]
        for end in ends:
            end.result()


def _came(settings: Settings, lake: Lake, since: datetime) -> Mapping[str, Came]:
    """What came into each table since then."""
    return {key: _into_delta(lake, key, since) for key in DELTA} | {POSTGRES: _into_postgres(settings, since)}


def _into_delta(lake: Lake, key: str, since: datetime) -> Came:
    commits = [(commit.at, ShardProgress(**commit.metadata)) for commit in lake.reopen(key).commits()]
    new = [(at, shard_progress) for at, shard_progress in commits if at > since]
    before = [shard_progress.records for at, shard_progress in commits if at <= since]
    latencies = [lag for at, shard_progress in new if (lag := shard_progress.lag(at)) is not None]
    return Came(
        max((shard_progress.records for _, shard_progress in new), default=0) - max(before, default=0), latencies
    )


def _into_postgres(settings: Settings, since: datetime) -> Came:
    query = "SELECT extract(epoch FROM written_at - posted_at)::float FROM experimental_data WHERE posted_at > %s"
    with Postgres(settings.postgres_url).transaction() as connection:
        latencies = [latency for (latency,) in connection.execute(query, [since])]
    return Came(len(latencies), latencies)


def _wait(settings: Settings, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise LocalError(f"the streams did not get on within {PATIENCE_SECONDS} s: see {settings.home / 'logs'}")
        time.sleep(LOOK_SECONDS)


def _as_text(came: Mapping[str, Came]) -> Table:
    table = Table("table", "posts", "rows", "typical latency", "longest")
    for key, into in came.items():
        times = (f"{value:.1f} s" for value in (median(into.latencies), max(into.latencies)))
        table.add_row(key, str(POSTS), str(into.rows), *times)
    return table
