"""Real-time tables in Postgres."""

from __future__ import annotations

from pin_pipeline.quarantine.schema import REJECTION
from pin_pipeline.records import PIN, Column
from pin_pipeline.records.positions import SOURCE_POSITION
from pin_pipeline.storage.postgres import PostgresTable

POSITION = tuple(column.name for column in SOURCE_POSITION)
POSTED_AT = Column(name="posted_at", type="timestamp", description="When the pin arrived in the topic.")
WRITTEN_AT = Column(name="written_at", type="timestamp", description="When the row was written to Postgres.")
WINDOW = (
    Column(name="window_start", type="timestamp", description="Start of the window, inclusive."),
    Column(name="window_end", type="timestamp", description="End of the window, exclusive."),
)
POSTS = Column(name="posts", type="bigint", description="Number of posts in the window.")

EXPERIMENTAL_DATA = PostgresTable(
    "experimental_data",
    (*PIN.columns, *SOURCE_POSITION, POSTED_AT, WRITTEN_AT),
    POSITION,
    # The dashboard counts the latest rows every second.
    index=(WRITTEN_AT.name, POSTED_AT.name),
)
QUARANTINE = PostgresTable("experimental_data_quarantine", (*SOURCE_POSITION, *REJECTION), POSITION)
PROFILE_POPULARITY = PostgresTable(
    "profile_popularity",
    (
        *WINDOW,
        Column(name="poster_name", type="string", description="Name of the poster."),
        POSTS,
        Column(
            name="followers",
            type="bigint",
            description="Followers of the poster, from the latest post that contains their number.",
        ),
    ),
    ("window_start", "poster_name"),
)
CATEGORY_TRENDS = PostgresTable(
    "category_trends",
    (*WINDOW, Column(name="category", type="string", description="Category of the pins."), POSTS),
    ("window_start", "category"),
)
