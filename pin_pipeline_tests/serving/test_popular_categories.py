"""View that combines batch and stream, compared with plain Python: each pin is counted once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from pin_pipeline.local import s3
from pin_pipeline.local.postgres import create_database
from pin_pipeline.serving.popular_categories import KEY, serve
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres, insert_rows
from pin_pipeline.streaming.postgres_tables import EXPERIMENTAL_DATA

TOPIC = "pins"
BATCH_SCHEMA = pa.schema(
    [
        ("ind", pa.int64()),
        ("category", pa.string()),
        ("source_topic", pa.string()),
        ("source_partition", pa.int32()),
        ("source_offset", pa.int64()),
    ]
)

Post = tuple[int, str | None]
Partitions = list[list[Post]]


@pytest.fixture(scope="module")
def isolated(local_environment: Settings) -> Settings:
    """Settings with a bucket and a database for this module."""
    name = f"t{uuid.uuid4().hex[:12]}"
    s3.create_bucket(local_environment.s3_endpoint_url, name)
    url = make_conninfo(local_environment.postgres_url, dbname=name)
    create_database(url)
    return local_environment.model_copy(update={"bucket": name, "postgres_url": url})


def rows(partitions: Partitions, ends: list[int]) -> Iterator[dict[str, object]]:
    """Yield the records of partitions up to their ends."""
    for partition, (posts, end) in enumerate(zip(partitions, ends, strict=True)):
        for offset, (ind, category) in enumerate(posts[:end]):
            yield {
                "ind": ind,
                "category": category,
                "source_topic": TOPIC,
                "source_partition": partition,
                "source_offset": offset,
            }


def latest(records: Iterator[dict[str, object]]) -> dict[object, dict[str, object]]:
    """Return the latest record of each pin."""
    ordered = sorted(records, key=lambda row: (row["source_offset"], row["source_partition"]))
    return {row["ind"]: row for row in ordered}


def write_tables(isolated: Settings, partitions: Partitions, batch: list[int], stream: list[int]) -> None:
    """Write the tables of batch and stream, up to the given end of each partition."""
    cleaned = pa.Table.from_pylist(list(latest(rows(partitions, batch)).values()), BATCH_SCHEMA)
    Lake.of(isolated).overwrite("cleaned/pin", cleaned)
    postgres = Postgres(isolated.postgres_url)
    postgres.ensure_table(EXPERIMENTAL_DATA)
    arrived = pa.Table.from_pylist(list(rows(partitions, stream)), BATCH_SCHEMA)
    for name in EXPERIMENTAL_DATA.names:
        if name not in BATCH_SCHEMA.names:
            arrived = arrived.append_column(name, pa.nulls(arrived.num_rows))
    with postgres.transaction() as connection:
        connection.execute("TRUNCATE experimental_data")
        insert_rows(connection, EXPERIMENTAL_DATA, arrived)


POSTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["art", "travel", None])), max_size=8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_view_counts_each_pin_once_for_any_progress_of_batch_and_stream(
    isolated: Settings, data: st.DataObject
) -> None:
    partitions = data.draw(st.lists(POSTS, min_size=2, max_size=2))
    batch, stream = (
        [data.draw(st.integers(0, len(posts)), label=f"{name} of {len(posts)}") for posts in partitions]
        for name in ("batch", "stream")
    )
    write_tables(isolated, partitions, batch, stream)
    serve(Lake.of(isolated), Postgres(isolated.postgres_url))
    furthest = [max(ends) for ends in zip(batch, stream, strict=True)]
    expected = Counter(row["category"] for row in latest(rows(partitions, furthest)).values() if row["category"])
    with psycopg.connect(isolated.postgres_url) as connection:
        counted = connection.execute("SELECT category, pins, of_batch + since_batch FROM popular_categories").fetchall()
    assert {category: pins for category, pins, _ in counted} == expected
    assert all(pins == both for _, pins, both in counted)


def test_unchanged_batch_is_not_reloaded_and_the_report_shows_the_view(isolated: Settings) -> None:
    write_tables(isolated, [[(1, "art"), (2, "art\0")], [(3, "travel")]], batch=[2, 0], stream=[0, 1])
    lake, postgres = Lake.of(isolated), Postgres(isolated.postgres_url)
    first, second = serve(lake, postgres), serve(lake, postgres)
    assert (first.key, first.rows) == (KEY, 2)
    assert [first.metadata[name] for name in ("pins", "reloaded")] == [3, 1]
    assert second.metadata["reloaded"] == 0
    assert first.metadata["preview"] == (
        "| category | pins | of_batch | since_batch |\n| --- | --- | --- | --- |\n"
        "| art | 2 | 2 | 0 |\n| travel | 1 | 0 | 1 |"
    )
