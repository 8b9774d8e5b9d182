"""Counts of the dashboard from the real-time tables in Postgres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row

from pin_pipeline.dashboard.windows import Window, popularity_window_starts, window_start
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.windows import CATEGORY_TRENDS

READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '5s'"
"""All queries see the same rows, none can write, and none runs on after the page has given up."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class PostgresLag:
    """Lag of the posts that were written in the last minute.

    Attributes:
        newest: when the newest post in the table was written; None if the table is empty.
    """

    posted_in_last_minute: int
    median_seconds: float | None
    worst_seconds: float | None
    newest: datetime | None


@dataclass(frozen=True)
class CategoryCount:
    """Number of posts in a category."""

    name: str
    posts: int


@dataclass(frozen=True)
class PosterCount:
    """Number of posts of a poster, and the number of followers, if known."""

    name: str
    posts: int
    followers: int | None


@dataclass(frozen=True)
class RealtimeCounts:
    """Counts of a window. Each count starts with a full bucket or window of its table, at its `..._since`.

    Attributes:
        posts: number of posts per bucket, from `posts_since` on; the last bucket has not ended.
        posters_hours: number of hourly windows that posters are counted in; they do not overlap.
    """

    posts_since: datetime
    bucket_seconds: float
    posts: list[int]
    lag: PostgresLag
    categories_since: datetime
    categories: list[CategoryCount]
    posters_since: datetime
    posters_hours: int
    posters: list[PosterCount]


def read_realtime(postgres: Postgres, window: Window) -> RealtimeCounts | None:
    """Return the counts of a window that ends now; None if the streaming job has not created its tables yet.

    Raises:
        PostgresError: the database does not respond or refuses a statement.
    """
    with postgres.transaction() as connection:
        connection.execute(READ_ONLY)
        try:
            return _read(connection, window, datetime.now(UTC))
        except UndefinedTable:
            return None


def _read(connection: Connection, window: Window, now: datetime) -> RealtimeCounts:
    posts_since, seconds = window_start(now, window, window.bucket), window.bucket.total_seconds()
    categories_since = window_start(now, window, CATEGORY_TRENDS)
    hours = popularity_window_starts(now, window)
    posts: dict[int, int] = dict(
        connection.execute(_sql("posts"), {"since": posts_since, "bucket_seconds": seconds, "now": now}).fetchall()
    )
    [lag] = _rows(connection, PostgresLag, "lag", {"now": now})
    return RealtimeCounts(
        posts_since=posts_since,
        bucket_seconds=seconds,
        posts=[posts.get(bucket, 0) for bucket in range((now - posts_since) // window.bucket + 1)],
        lag=lag,
        categories_since=categories_since,
        categories=_rows(connection, CategoryCount, "categories", {"since": categories_since}),
        posters_since=hours[-1],
        posters_hours=len(hours),
        posters=_rows(connection, PosterCount, "posters", {"windows": hours}),
    )


def _rows(connection: Connection, row_type: type[Row], query: str, parameters: Mapping[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(_sql(query), parameters).fetchall()


def _sql(query: str) -> bytes:
    return files("pin_pipeline.dashboard").joinpath("sql", f"{query}.sql").read_bytes()
