"""The topic of pins in Postgres: every pin once, as soon as it is posted, and what is popular in the last hour."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.quarantine.rejected_rows import PROBLEM, misfits
from pin_pipeline.quarantine.schema import REJECTION
from pin_pipeline.records import PIN, Column
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.records.reasons import Reason
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.postgres import Postgres, PostgresTable, add, put
from pin_pipeline.streaming import windows

POSTED_AT = Column(name="posted_at", type="timestamp", description="When the pin came to the topic.")
WRITTEN_AT = Column(name="written_at", type="timestamp", description="When it was written here.")
POSITION = tuple(column.name for column in SOURCE_POSITION)
WINDOW = (
    Column(name="window_start", type="timestamp", description="Begin of the window, in it."),
    Column(name="window_end", type="timestamp", description="End of the window, not in it."),
)
POSTS = Column(name="posts", type="bigint", description="Posts in the window.")

EXPERIMENTAL_DATA = PostgresTable(
    "experimental_data",
    (*PIN.columns, *SOURCE_POSITION, POSTED_AT, WRITTEN_AT),
    POSITION,
    # What came lately is counted every second while somebody looks at the dashboard.
    index=(WRITTEN_AT.name, POSTED_AT.name),
)
QUARANTINE = PostgresTable("experimental_data_quarantine", (*SOURCE_POSITION, *REJECTION), POSITION)
PROFILE_POPULARITY = PostgresTable(
    "profile_popularity",
    (
        *WINDOW,
        Column(name="poster_name", type="string", description="Who posted."),
        POSTS,
        Column(name="followers", type="bigint", description="Followers of the poster, by the last post that tells."),
    ),
    ("window_start", "poster_name"),
)
CATEGORY_TRENDS = PostgresTable(
    "category_trends",
    (*WINDOW, Column(name="category", type="string", description="Category of the pins."), POSTS),
    ("window_start", "category"),
)
# A post may come so late and be counted still.
LATE = "10 minutes"
NUL = "\0"


class PinsSink:
    """Takes micro-batches of the topic; call it by `foreachBatch`.

    Raises:
        PostgresError: the database does not answer, or refuses.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._version = rules_version(PIN)
        self.identity = f"{postgres.ensure(EXPERIMENTAL_DATA)}-{postgres.ensure(QUARANTINE)}"

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Judge and write a micro-batch, as `positioned` makes them."""
        records = batch.withColumn("original", F.col("bytes"))
        self.write(classify(PIN, records, [*POSITION, POSTED_AT.name, "original"]).toArrow())

    def write(self, classified: pa.Table) -> None:
        """Write records that are judged, as `classify` gives them; `original` has the bytes of all of them."""
        misfit = pc.or_(classified["rejection"].is_valid(), _with_nul(classified))
        now = pa.array([datetime.now(UTC)] * classified.num_rows, pa.timestamp("us", "UTC"))
        fit = classified.append_column(WRITTEN_AT.name, now).filter(pc.invert(misfit))
        with self._postgres.transaction() as connection:
            add(connection, EXPERIMENTAL_DATA, fit)
            add(connection, QUARANTINE, self._misfits(classified.filter(misfit)))

    def _misfits(self, classified: pa.Table) -> pa.Table:
        problems = [row["rejection"] or _nul_problem(row) for row in classified.to_pylist()]
        records = classified.set_column(classified.column_names.index("bytes"), "bytes", classified["original"])
        return misfits(records, pa.array(problems, PROBLEM), self._version).select(QUARANTINE.names)


class WindowSink:
    """Takes what has changed of windows; call it by `foreachBatch`.

    Raises:
        PostgresError: the database does not answer, or refuses.
    """

    def __init__(self, postgres: Postgres, table: PostgresTable) -> None:
        self._postgres, self._table = postgres, table
        self.identity = postgres.ensure(table)

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Replace the windows that a micro-batch has changed."""
        rows = batch.select(*self._table.names).toArrow()
        if rows.num_rows:
            with self._postgres.transaction() as connection:
                put(connection, self._table, rows)


def positioned(records: DataFrame) -> DataFrame:
    """Records of Spark's Kafka source as the sinks take them."""
    position = [F.col(name.removeprefix("source_")).alias(name) for name in POSITION]
    return records.select(*position, F.col("timestamp").alias(POSTED_AT.name), F.col("value").alias("bytes"))


def profile_popularity(records: DataFrame) -> DataFrame:
    """Posts and followers of each poster, in windows of an hour, one every ten minutes."""
    posters = _posted(records).where(_told("poster_name"))
    window = F.window(POSTED_AT.name, _spark(windows.PROFILE_POPULARITY), _spark(windows.PROFILE_POPULARITY_EVERY))
    followers = F.max_by("follower_count", F.when(F.col("follower_count").isNotNull(), F.col(POSTED_AT.name)))
    return _windows(
        posters.groupBy(window, "poster_name").agg(F.count("*").alias("posts"), followers.alias("followers"))
    )


def category_trends(records: DataFrame) -> DataFrame:
    """Posts in each category, in windows of five minutes."""
    window = F.window(POSTED_AT.name, _spark(windows.CATEGORY_TRENDS))
    categories = _posted(records).where(_told("category"))
    return _windows(categories.groupBy(window, "category").agg(F.count("*").alias("posts")))


WINDOWED: dict[str, tuple[PostgresTable, Callable[[DataFrame], DataFrame]]] = {
    "realtime/profile_popularity": (PROFILE_POPULARITY, profile_popularity),
    "realtime/category_trends": (CATEGORY_TRENDS, category_trends),
}


def _posted(records: DataFrame) -> DataFrame:
    return classify(PIN, records, [POSTED_AT.name]).where("rejection is null").withWatermark(POSTED_AT.name, LATE)


def _windows(frame: DataFrame) -> DataFrame:
    return frame.select("*", F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end"))


def _spark(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f} seconds"


def _told(column: str) -> str:
    """That a text is there, and one that Postgres can hold."""
    return f"instr({column}, char(0)) = 0"


def _with_nul(classified: pa.Table) -> pa.ChunkedArray:
    """Which records have a text with the character NUL: Postgres cannot hold it, Delta can."""
    texts = [classified[column.name] for column in PIN.columns if column.type == "string"]
    return reduce(pc.or_, [pc.fill_null(pc.match_substring(text, NUL), fill_value=False) for text in texts])


def _nul_problem(row: dict[str, object]) -> dict[str, str]:
    [name, *_] = [name for name, value in row.items() if isinstance(value, str) and NUL in value]
    return {"reason": Reason.INVALID_VALUE, "field": name, "value": json.dumps(row[name])}
