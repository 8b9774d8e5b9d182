"""Spark queries that count the posts of the topic of pins in time windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.records import PIN
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.postgres import PostgresTable
from pin_pipeline.streaming import windows
from pin_pipeline.streaming.postgres_tables import CATEGORY_TRENDS, POSITION, POSTED_AT, PROFILE_POPULARITY

MAX_DELAY = "10 minutes"
"""Watermark: a post that arrives later than this is not counted in a window that has ended."""


def with_position(records: DataFrame) -> DataFrame:
    """Return records of Spark's Kafka source with the columns that the sinks and the counts expect."""
    position = [F.col(name.removeprefix("source_")).alias(name) for name in POSITION]
    return records.select(*position, F.col("timestamp").alias(POSTED_AT.name), F.col("value").alias("bytes"))


def profile_popularity(records: DataFrame) -> DataFrame:
    """Count the posts, and return the latest number of followers, per poster in hourly windows every ten minutes."""
    posters = _accepted_posts(records).where(_is_storable("poster_name"))
    window = F.window(
        POSTED_AT.name, _interval(windows.PROFILE_POPULARITY), _interval(windows.PROFILE_POPULARITY_EVERY)
    )
    followers = F.max_by("follower_count", F.when(F.col("follower_count").isNotNull(), F.col(POSTED_AT.name)))
    return _with_window_columns(
        posters.groupBy(window, "poster_name").agg(F.count("*").alias("posts"), followers.alias("followers"))
    )


def category_trends(records: DataFrame) -> DataFrame:
    """Count the posts per category in windows of five minutes."""
    window = F.window(POSTED_AT.name, _interval(windows.CATEGORY_TRENDS))
    categories = _accepted_posts(records).where(_is_storable("category"))
    return _with_window_columns(categories.groupBy(window, "category").agg(F.count("*").alias("posts")))


WINDOWED_COUNTS: dict[str, tuple[PostgresTable, Callable[[DataFrame], DataFrame]]] = {
    "realtime/profile_popularity": (PROFILE_POPULARITY, profile_popularity),
    "realtime/category_trends": (CATEGORY_TRENDS, category_trends),
}
"""Table and query by asset key."""


def _accepted_posts(records: DataFrame) -> DataFrame:
    accepted = classify(PIN, records, [POSTED_AT.name]).where("rejection is null")
    return accepted.withWatermark(POSTED_AT.name, MAX_DELAY)


def _with_window_columns(frame: DataFrame) -> DataFrame:
    return frame.select("*", F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end"))


def _interval(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f} seconds"


def _is_storable(column: str) -> str:
    """Return the SQL condition that a text is not null and has no character NUL, which Postgres cannot store."""
    return f"instr({column}, char(0)) = 0"
