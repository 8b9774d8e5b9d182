"""Dashboard over a database and a bucket per test, and rows for them, written as the streaming jobs write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pyarrow as pa
import pytest
from psycopg.conninfo import make_conninfo

from pin_pipeline.dashboard.app import create_app
from pin_pipeline.local.postgres import create_database
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres, PostgresTable, insert_rows, upsert_rows
from pin_pipeline.streaming.postgres_tables import CATEGORY_TRENDS, EXPERIMENTAL_DATA, PROFILE_POPULARITY
from pin_pipeline.streaming.shard_progress import ClassifiedBatch, ShardProgress
from pin_pipeline.streaming.stream_table import StreamTable
from pin_pipeline_tests.gateway.conftest import serving

STREAM = ("a stream", 1)
REJECTION = pa.field("rejection", pa.struct([("reason", pa.string())]))
TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "array<double>": pa.list_(pa.float64()),
    "timestamp": pa.timestamp("us", "UTC"),
}
Serve = Callable[..., AbstractContextManager[httpx.Client]]


class TableWriter:
    """Writes the tables of the streaming jobs without Spark."""

    def __init__(self, settings: Settings) -> None:
        self._postgres, self._lake = Postgres(settings.postgres_url), Lake.of(settings)
        self._numbers = count()

    def create_tables(self) -> None:
        """Create the tables in Postgres, as the jobs do at startup."""
        for table in (EXPERIMENTAL_DATA, CATEGORY_TRENDS, PROFILE_POPULARITY):
            self._postgres.ensure_table(table)

    def write_posts(self, posted_at: datetime, lag: timedelta = timedelta(seconds=1), times: int = 1) -> None:
        """Write posts that were posted at the same time and written after the lag."""
        position = {"source_topic": "pins", "source_partition": 0}
        times_of_row = {"posted_at": posted_at, "written_at": posted_at + lag}
        rows = [{**position, "source_offset": next(self._numbers), **times_of_row} for _ in range(times)]
        with self._postgres.transaction() as connection:
            insert_rows(connection, EXPERIMENTAL_DATA, _to_arrow(EXPERIMENTAL_DATA, rows))

    def write_trend(self, start: datetime, **posts: int) -> None:
        """Write the posts by category of the window with this start."""
        end = start + timedelta(minutes=5)
        rows = [{"window_start": start, "window_end": end, "category": name, "posts": n} for name, n in posts.items()]
        self._upsert(CATEGORY_TRENDS, rows)

    def write_popularity(self, start: datetime, posts: Mapping[str, int], followers: Mapping[str, int]) -> None:
        """Write the posts by poster of the hourly window with this start."""
        window = {"window_start": start, "window_end": start + timedelta(hours=1)}
        rows = [
            {**window, "poster_name": name, "posts": n, "followers": followers.get(name)} for name, n in posts.items()
        ]
        self._upsert(PROFILE_POPULARITY, rows)

    def commit(self, record_type: str, arrived: Sequence[datetime], rejected: int = 0) -> ShardProgress:
        """Commit one record per arrival time to a stream's table, the first of them rejected; return its progress."""
        lake = replace(self._lake)  # without open tables
        columns = (*RECORD_TYPES[record_type].columns, *STREAM_POSITION)
        names = [column.name for column in columns]
        table = StreamTable(
            lake,
            f"streams/{record_type}",
            columns,
            STREAM,
            lambda classified: classified.slice(rejected).select(names),
        )
        rows = [
            {"source_stream": STREAM[0], "source_shard": "0", "source_sequence_number": str(next(self._numbers))}
            | {"arrived_at": at, "rejection": {"reason": "not_json"} if number < rejected else None}
            for number, at in enumerate(arrived)
        ]
        schema = pa.schema(
            [*((name, TYPES[column.type]) for name, column in zip(names, columns, strict=True)), REJECTION]
        )
        table.append(ClassifiedBatch(pa.Table.from_pylist(rows, schema=schema)), commit_empty=True)
        return ShardProgress.of(lake.require(f"streams/{record_type}"))

    def _upsert(self, table: PostgresTable, rows: list[dict[str, Any]]) -> None:
        with self._postgres.transaction() as connection:
            upsert_rows(connection, table, _to_arrow(table, rows))


def floor(time: datetime, seconds: int) -> datetime:
    """Round a time down to a multiple of seconds."""
    return datetime.fromtimestamp(time.timestamp() // seconds * seconds, UTC)


def _to_arrow(table: PostgresTable, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema([(column.name, TYPES[column.type]) for column in table.columns]))


@pytest.fixture
def isolated(settings: Settings) -> Settings:
    """Settings with an empty database per test."""
    database = make_conninfo(settings.postgres_url, dbname=settings.prefix)
    create_database(database)
    return settings.model_copy(update={"postgres_url": database})


@pytest.fixture
def writer(isolated: Settings) -> TableWriter:
    """Writer of the tables that the dashboard shows."""
    return TableWriter(isolated)


@pytest.fixture
def serve(isolated: Settings, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve a dashboard over the database and bucket of the test, unless variables override them."""

    def serve(**variables: str) -> AbstractContextManager[httpx.Client]:
        defaults = {"PIN_POSTGRES_URL": isolated.postgres_url, "PIN_BUCKET": isolated.bucket}
        for name, value in (defaults | variables).items():
            monkeypatch.setenv(name, value)
        return serving(create_app())

    return serve
