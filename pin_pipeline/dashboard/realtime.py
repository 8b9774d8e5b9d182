"""What the real-time tables in Postgres tell of a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.errors import UndefinedTable
from psycopg.rows import class_row

from pin_pipeline.dashboard.windows import Window, covering, popularity_windows
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.windows import CATEGORY_TRENDS

# All queries see the same moment, nothing can be changed, and none runs on after the page has given it up.
SAFELY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '5s'"

Row = TypeVar("Row")


@dataclass(frozen=True)
class Lag:
    """How late posts were written that were written in the last minute, and when the newest one ever was."""

    posted_in_last_minute: int
    median_seconds: float | None
    worst_seconds: float | None
    newest: datetime | None


@dataclass(frozen=True)
class CategoryCount:
    """How many posts a category has."""

    name: str
    posts: int


@dataclass(frozen=True)
class PosterCount:
    """How many posts somebody wrote, and how many followers they have, where that is known."""

    name: str
    posts: int
    followers: int | None


@dataclass(frozen=True)
class Realtime:
    """What is drawn of a window. Each count begins with a full bucket or window of its table, and says so.

    Attributes:
        posts: in each bucket from `posts_since` on; the last one is not over yet.
        posters_hours: in how many windows of an hour, none of which overlaps another, posters are counted.
    """

    posts_since: datetime
    bucket_seconds: float
    posts: list[int]
    lag: Lag
    categories_since: datetime
    categories: list[CategoryCount]
    posters_since: datetime
    posters_hours: int
    posters: list[PosterCount]


def read_realtime(postgres: Postgres, window: Window) -> Realtime | None:
    """What there is now, None before the streaming job has made its tables.

    Raises:
        PostgresError: the database does not answer, or refuses.
    """
    with postgres.transaction() as connection:
        connection.execute(SAFELY)
        try:
            return _look(connection, window, datetime.now(UTC))
        except UndefinedTable:
            return None


def _look(connection: Connection, window: Window, now: datetime) -> Realtime:
    posts_since, seconds = covering(now, window, window.bucket), window.bucket.total_seconds()
    categories_since = covering(now, window, CATEGORY_TRENDS)
    windows = popularity_windows(now, window)
    counted: dict[int, int] = dict(
        connection.execute(_sql("posts"), {"since": posts_since, "bucket_seconds": seconds, "now": now}).fetchall()
    )
    [lag] = _rows(connection, Lag, "lag", {"now": now})
    return Realtime(
        posts_since=posts_since,
        bucket_seconds=seconds,
        posts=[counted.get(number, 0) for number in range((now - posts_since) // window.bucket + 1)],
        lag=lag,
        categories_since=categories_since,
        categories=_rows(connection, CategoryCount, "categories", {"since": categories_since}),
        posters_since=windows[-1],
        posters_hours=len(windows),
        posters=_rows(connection, PosterCount, "posters", {"windows": windows}),
    )


def _rows(connection: Connection, row: type[Row], query: str, parameters: Mapping[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(_sql(query), parameters).fetchall()


def _sql(query: str) -> bytes:
    return files("pin_pipeline.dashboard").joinpath("sql", f"{query}.sql").read_bytes()
