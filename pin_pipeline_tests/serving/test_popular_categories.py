"""The view that joins batch and stream, against plain Python: no pin is missing, none is counted twice."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

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
from pin_pipeline.storage.postgres import Postgres, add
from pin_pipeline.streaming.postgres_sink import EXPERIMENTAL_DATA

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
def where(local_environment: Settings) -> Settings:
    """A bucket and a database of this module's own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    s3.create_bucket(local_environment.s3_endpoint_url, name)
    url = make_conninfo(local_environment.postgres_url, dbname=name)
    create_database(url)
    return replace(local_environment, bucket=name, postgres_url=url)


def rows(partitions: Partitions, ends: list[int]) -> Iterator[dict[str, object]]:
    """The records of partitions up to their ends."""
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
    """The latest record of each pin."""
    ordered = sorted(records, key=lambda row: (row["source_offset"], row["source_partition"]))
    return {row["ind"]: row for row in ordered}


def put(where: Settings, partitions: Partitions, batch: list[int], stream: list[int]) -> None:
    """Bring batch and stream to where they are said to be."""
    cleaned = pa.Table.from_pylist(list(latest(rows(partitions, batch)).values()), BATCH_SCHEMA)
    Lake.of(where).write("cleaned/pin", cleaned)
    postgres = Postgres(where.postgres_url)
    postgres.ensure(EXPERIMENTAL_DATA)
    arrived = pa.Table.from_pylist(list(rows(partitions, stream)), BATCH_SCHEMA)
    for name in EXPERIMENTAL_DATA.names:
        if name not in BATCH_SCHEMA.names:
            arrived = arrived.append_column(name, pa.nulls(arrived.num_rows))
    with postgres.transaction() as connection:
        connection.execute("TRUNCATE experimental_data")
        add(connection, EXPERIMENTAL_DATA, arrived)


POSTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["art", "travel", None])), max_size=8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_pin_is_counted_once_wherever_batch_and_stream_are(where: Settings, data: st.DataObject) -> None:
    partitions = data.draw(st.lists(POSTS, min_size=2, max_size=2))
    batch, stream = (
        [data.draw(st.integers(0, len(posts)), label=f"{name} of {len(posts)}") for posts in partitions]
        for name in ("batch", "stream")
    )
    put(where, partitions, batch, stream)
    serve(Lake.of(where), Postgres(where.postgres_url))
    furthest = [max(ends) for ends in zip(batch, stream, strict=True)]
    expected = Counter(row["category"] for row in latest(rows(partitions, furthest)).values() if row["category"])
    with psycopg.connect(where.postgres_url) as connection:
        counted = connection.execute("SELECT category, pins, of_batch + since_batch FROM popular_categories").fetchall()
    assert {category: pins for category, pins, _ in counted} == expected
    assert all(pins == both for _, pins, both in counted)


def test_what_did_not_change_is_not_loaded_again_and_the_report_shows_the_answer(where: Settings) -> None:
    put(where, [[(1, "art"), (2, "art\0")], [(3, "travel")]], batch=[2, 0], stream=[0, 1])
    lake, postgres = Lake.of(where), Postgres(where.postgres_url)
    first, second = serve(lake, postgres), serve(lake, postgres)
    assert (first.key, first.rows) == (KEY, 2)
    assert [first.metadata[name] for name in ("pins", "reloaded")] == [3, 1]
    assert second.metadata["reloaded"] == 0
    assert first.metadata["preview"] == (
        "| category | pins | of_batch | since_batch |\n| --- | --- | --- | --- |\n"
        "| art | 2 | 2 | 0 |\n| travel | 1 | 0 | 1 |"
    )
