"""A dashboard over a database and a bucket of the test's own, and rows for it, written as the streaming jobs do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
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
from pin_pipeline.storage.postgres import Postgres, PostgresTable, add, put
from pin_pipeline.streaming.delta_sink import StreamTable
from pin_pipeline.streaming.postgres_sink import CATEGORY_TRENDS, EXPERIMENTAL_DATA, PROFILE_POPULARITY
from pin_pipeline.streaming.shard_progress import Batch, ShardProgress
from pin_pipeline_tests.gateway.conftest import serving

STREAM = ("a stream", 1)
Serve = Callable[..., AbstractContextManager[httpx.Client]]


class Streaming:
    """What the streaming jobs write, without Spark."""

    def __init__(self, settings: Settings) -> None:
        self._postgres, self._lake = Postgres(settings.postgres_url), Lake.of(settings)
        self._numbers = count()

    def make_tables(self) -> None:
        """As the jobs do when they start."""
        for table in (EXPERIMENTAL_DATA, CATEGORY_TRENDS, PROFILE_POPULARITY):
            self._postgres.ensure(table)

    def post(self, posted_at: datetime, lag: timedelta = timedelta(seconds=1), times: int = 1) -> None:
        """Posts of one moment, written so much later."""
        position = {"source_topic": "pins", "source_partition": 0}
        when = {"posted_at": posted_at, "written_at": posted_at + lag}
        rows = [{**position, "source_offset": next(self._numbers), **when} for _ in range(times)]
        with self._postgres.transaction() as connection:
            add(connection, EXPERIMENTAL_DATA, _rows(EXPERIMENTAL_DATA, rows))

    def trend(self, start: datetime, **posts: int) -> None:
        """Posts by category in the window that starts there."""
        end = start + timedelta(minutes=5)
        rows = [{"window_start": start, "window_end": end, "category": name, "posts": n} for name, n in posts.items()]
        self._put(CATEGORY_TRENDS, rows)

    def popularity(self, start: datetime, posts: Mapping[str, int], followers: Mapping[str, int]) -> None:
        """Posts by poster in the hour that starts there."""
        window = {"window_start": start, "window_end": start + timedelta(hours=1)}
        rows = [
            {**window, "poster_name": name, "posts": n, "followers": followers.get(name)} for name, n in posts.items()
        ]
        self._put(PROFILE_POPULARITY, rows)

    def commit(self, record_type: str, arrived: Sequence[datetime], misfits: int = 0) -> ShardProgress:
        """A commit of so many records to a stream's table; what it says then."""
        lake, columns = (
            replace(self._lake),
            (*RECORD_TYPES[record_type].columns, *STREAM_POSITION),
        )  # one that has opened nothing yet
        names = [column.name for column in columns]
        table = StreamTable(
            lake, f"streams/{record_type}", columns, STREAM, lambda classified: classified.slice(misfits).select(names)
        )
        rows = [
            {"source_stream": STREAM[0], "source_shard": "0", "source_sequence_number": str(next(self._numbers))}
            | {"arrived_at": at, "rejection": {"reason": "not_json"} if number < misfits else None}
            for number, at in enumerate(arrived)
        ]
        schema = pa.schema(
            [*((name, _TYPES[column.type]) for name, column in zip(names, columns, strict=True)), _PROBLEM]
        )
        table.append(Batch(pa.Table.from_pylist(rows, schema=schema)), even_nothing=True)
        return ShardProgress.of(lake.existing(f"streams/{record_type}"))

    def _put(self, table: PostgresTable, rows: list[dict[str, Any]]) -> None:
        with self._postgres.transaction() as connection:
            put(connection, table, _rows(table, rows))


_PROBLEM = pa.field("rejection", pa.struct([("reason", pa.string())]))
_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "array<double>": pa.list_(pa.float64()),
    "timestamp": pa.timestamp("us", "UTC"),
}


def _rows(table: PostgresTable, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(
        rows, schema=pa.schema([(column.name, _TYPES[column.type]) for column in table.columns])
    )


@pytest.fixture
def here(settings: Settings) -> Settings:
    """A database that no other test knows, with nothing in it."""
    database = make_conninfo(settings.postgres_url, dbname=settings.prefix)
    create_database(database)
    return replace(settings, postgres_url=database)


@pytest.fixture
def streaming(here: Settings) -> Streaming:
    """Writes what the streaming jobs do."""
    return Streaming(here)


@pytest.fixture
def serve(here: Settings, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves a dashboard over the test's own database and bucket, or over what the variables say."""

    def serve(**variables: str) -> AbstractContextManager[httpx.Client]:
        for name, value in ({"PIN_POSTGRES_URL": here.postgres_url, "PIN_BUCKET": here.bucket} | variables).items():
            monkeypatch.setenv(name, value)
        return serving(create_app())

    return serve
