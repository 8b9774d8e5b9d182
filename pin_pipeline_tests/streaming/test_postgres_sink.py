"""Postgres sinks: every pin once, and counts of the posts per window."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline.storage.postgres import Postgres, PostgresError
from pin_pipeline.streaming.postgres_tables import EXPERIMENTAL_DATA
from pin_pipeline_tests.helpers.rows import pin
from pin_pipeline_tests.helpers.topics import produce

CatchUp = Callable[..., None]
NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def rows(isolated: Settings) -> Callable[[str], list[tuple[Any, ...]]]:
    """Run a query in Postgres."""

    def run(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(isolated.postgres_url) as connection:
            return connection.execute(query.encode()).fetchall()

    return run


def test_pins_are_written_once_and_rejected_records_with_their_bytes(
    catch_up: CatchUp, isolated: Settings, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    produce(isolated, "pin", [pin(1), b"poison", None, pin(2, follower_count="many"), pin(1, title="Another")])
    produce(isolated, "pin", [pin(3, title="a\0b"), pin(4, poster_name="\0")], partition=1)
    catch_up("kafka_to_postgres", tables=1)
    found = rows("SELECT ind, title, follower_count, source_offset FROM experimental_data ORDER BY source_offset")
    assert found == [(1, "Pin 1", 12_000, 0), (1, "Another", 12_000, 4)]
    query = (
        "SELECT source_partition, source_offset, reason, field, value FROM experimental_data_quarantine ORDER BY 1, 2"
    )
    assert rows(query) == [
        (0, 1, "not_json", None, None),
        (0, 2, "not_json", None, None),
        (0, 3, "invalid_value", "follower_count", '"many"'),
        (1, 0, "invalid_value", "title", '"a\\u0000b"'),
        (1, 1, "invalid_value", "poster_name", '"\\u0000"'),
    ]
    [(stored,)] = rows(
        "SELECT bytes FROM experimental_data_quarantine WHERE source_offset = 1 AND source_partition = 0"
    )
    assert bytes(stored) == b"poison"
    catch_up("kafka_to_postgres", tables=1)
    assert rows("SELECT count(*) FROM experimental_data") == [(2,)]


@pytest.mark.parametrize("lost", ["checkpoints", "tables"])
def test_lost_checkpoints_or_tables_are_refilled_without_duplicates(
    catch_up: CatchUp, isolated: Settings, rows: Callable[[str], list[tuple[Any, ...]]], lost: str
) -> None:
    produce(isolated, "pin", [pin(1), b"poison"])
    catch_up("kafka_to_postgres")
    if lost == "checkpoints":
        shutil.rmtree(urlsplit(isolated.checkpoints).path)
    else:
        with psycopg.connect(isolated.postgres_url) as connection:
            connection.execute("DROP TABLE experimental_data, category_trends")
    produce(isolated, "pin", [pin(2)])
    catch_up("kafka_to_postgres")
    assert rows("SELECT ind FROM experimental_data ORDER BY ind") == [(1,), (2,)]
    assert rows("SELECT count(*) FROM experimental_data_quarantine") == [(1,)]
    assert rows("SELECT sum(posts) FROM category_trends") == [(2,)]


def test_windows_count_posts_until_the_watermark_has_passed(
    catch_up: CatchUp, isolated: Settings, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    produce(isolated, "pin", [pin(1), pin(2, category="travel", follower_count="User Info Error")], at=NOON)
    produce(isolated, "pin", [pin(3, poster_name="User Info Error")], 1, NOON + timedelta(minutes=4))
    catch_up("kafka_to_postgres")
    produce(
        isolated,
        "pin",
        [pin(4, follower_count="13k"), pin(5, category="travel", follower_count="User Info Error")],
        2,
        NOON + timedelta(minutes=25),
    )
    catch_up("kafka_to_postgres")
    produce(isolated, "pin", [pin(6)], 1, NOON)
    catch_up("kafka_to_postgres")
    trends = "SELECT to_char(window_start, 'HH24:MI'), category, posts FROM category_trends ORDER BY 1, 2"
    assert rows(trends) == [("12:00", "art", 2), ("12:00", "travel", 1), ("12:25", "art", 1), ("12:25", "travel", 1)]
    popularity = (
        "SELECT to_char(window_start, 'HH24:MI'), posts, followers FROM profile_popularity ORDER BY window_start"
    )
    assert rows(popularity) == list(_hours([(0, 12_000), (0, None), (25, 13_000), (25, None)], late=(0, 12_000)))
    assert rows("SELECT count(*) FROM experimental_data") == [(6,)]


def _hours(posts: list[tuple[int, int | None]], late: tuple[int, int]) -> Iterator[tuple[str, int, int]]:
    """Yield the hourly windows of posts, each given by its minute after noon and its followers.

    The late post counts only in windows that end after the watermark, ten minutes before the latest post.
    """
    watermark = max(minute for minute, _ in posts) - 10
    for start in range(-50, 30, 10):
        counted = [*posts, late] if start + 60 > watermark else posts
        inside = [(minute, followers) for minute, followers in counted if start <= minute < start + 60]
        known = [(minute, followers) for minute, followers in inside if followers is not None]
        yield f"{12 + start // 60}:{start % 60:02}", len(inside), max(known)[1]


def test_unreachable_database_is_reported_without_its_password() -> None:
    port = ports.free_port()
    with pytest.raises(
        PostgresError, match=rf"Postgres at 127\.0\.0\.1:{port}/there does not respond: .*check that it is running"
    ) as caught:
        Postgres(f"postgresql://pin:secret@127.0.0.1:{port}/there").ensure_table(EXPERIMENTAL_DATA)
    assert "secret" not in str(caught.value)
