"""JSON API of the dashboard, over a real Postgres and real Delta tables."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
import psycopg
import pytest

from pin_pipeline.dashboard import realtime
from pin_pipeline.dashboard.tables import TableReader
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.dashboard.conftest import Serve, TableWriter, floor
from pin_pipeline_tests.streaming.conftest import delete_table

MINUTES = (5, 15, 60, 1440)
SECOND, TEN_MINUTES, HOUR = timedelta(seconds=1), timedelta(minutes=10), timedelta(hours=1)


def realtime_result(client: httpx.Client, minutes: int) -> dict[str, Any]:
    """Return the counts of a window."""
    data = client.get("/data", params={"minutes": minutes}).raise_for_status().json()
    assert data["realtime"]["error"] is None
    result: dict[str, Any] = data["realtime"]["result"]
    return result


def test_posts_are_counted_in_the_bucket_of_their_posting_time(serve: Serve, writer: TableWriter) -> None:
    writer.create_tables()
    now = datetime.now(UTC)
    moments = {now - timedelta(minutes=minutes): n for n, minutes in enumerate((0.1, 1, *MINUTES, 7, 300, 2000), 1)}
    for moment, posts in moments.items():
        writer.write_posts(moment, times=posts)
    with serve() as client:
        for minutes in MINUTES:
            result = realtime_result(client, minutes)
            since, length = datetime.fromisoformat(result["posts_since"]), timedelta(seconds=result["bucket_seconds"])
            assert length == timedelta(minutes=minutes) / 60
            assert since <= now - 60 * length + 10 * SECOND
            expected: Counter[int] = Counter()
            for moment, posts in moments.items():
                if moment >= since:
                    expected[(moment - since) // length] += posts
            assert dict(enumerate(result["posts"])) == {n: expected[n] for n in range(len(result["posts"]))}
            assert len(result["posts"]) == 61


def test_lag_covers_the_posts_written_in_the_last_minute(serve: Serve, writer: TableWriter) -> None:
    writer.create_tables()
    now = datetime.now(UTC)
    lags = [0.5, 0.75, 1.5, 2, 30, 600]
    for lag in lags:
        writer.write_posts(now - timedelta(seconds=lag) - SECOND, timedelta(seconds=lag))
    writer.write_posts(now - HOUR, timedelta(minutes=5), times=100)
    with serve() as client:
        lag = realtime_result(client, 5)["lag"]
    assert lag["posted_in_last_minute"] == 5
    assert lag["median_seconds"] == pytest.approx(median(lags))
    assert lag["worst_seconds"] == pytest.approx(600)
    assert datetime.fromisoformat(lag["newest"]) == now - SECOND


def test_lag_without_recent_posts_is_null_and_reports_the_newest_post(serve: Serve, writer: TableWriter) -> None:
    writer.create_tables()
    long_ago = datetime.now(UTC) - timedelta(days=2)
    writer.write_posts(long_ago)
    with serve() as client:
        result = realtime_result(client, 5)
    assert sum(result["posts"]) == 0
    assert result["lag"] == {
        "posted_in_last_minute": 0,
        "median_seconds": None,
        "worst_seconds": None,
        "newest": (long_ago + SECOND).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("minutes", MINUTES)
def test_categories_add_up_over_the_windows_that_cover_the_selected_one(
    serve: Serve, writer: TableWriter, minutes: int
) -> None:
    writer.create_tables()
    newest = floor(datetime.now(UTC), 300)
    trends = {newest - timedelta(minutes=5 * n): {"art": n, "travel": 500, f"c{n % 12}": 1} for n in range(1, 300, 7)}
    trends[newest] = {"art": 1, "travel": 3}
    for start, posts in trends.items():
        writer.write_trend(start, **posts)
    with serve() as client:
        result = realtime_result(client, minutes)
    since = datetime.fromisoformat(result["categories_since"])
    assert timedelta(minutes=minutes) <= datetime.now(UTC) - since < timedelta(minutes=minutes + 6)
    expected: Counter[str] = Counter()
    for start, posts in trends.items():
        if start >= since:
            expected.update(posts)
    ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [(row["name"], row["posts"]) for row in result["categories"]] == ranked


@pytest.mark.parametrize("minutes", MINUTES)
def test_posters_are_counted_once_although_each_post_is_in_six_windows(
    serve: Serve, writer: TableWriter, minutes: int
) -> None:
    writer.create_tables()
    now = datetime.now(UTC)
    posts = [(now - timedelta(minutes=7 * n), ("Ada", "Bob", "Cy")[n % 3]) for n in range(190)]
    windows: dict[datetime, Counter[str]] = {}
    for moment, poster in posts:
        for number in range(6):
            windows.setdefault(floor(moment, 600) - number * TEN_MINUTES, Counter())[poster] += 1
    for start, counts in windows.items():
        writer.write_popularity(start, counts, {"Bob": int(start.timestamp())})
    with serve() as client:
        result = realtime_result(client, minutes)
    since = datetime.fromisoformat(result["posters_since"])
    inside = Counter(poster for moment, poster in posts if moment >= since)
    assert {row["name"]: row["posts"] for row in result["posters"]} == inside
    followers = {row["name"]: row["followers"] for row in result["posters"]}
    latest = int((since + (result["posters_hours"] - 1) * HOUR).timestamp())
    assert followers.get("Bob", latest) == latest
    assert followers.get("Ada") is None
    assert result["posters_hours"] == max(minutes // 60, 1)


def test_tables_show_the_progress_of_their_last_commit(serve: Serve, writer: TableWriter, isolated: Settings) -> None:
    arrived = [datetime.now(UTC) - timedelta(seconds=seconds) for seconds in (9, 4, 3)]
    writer.commit("pin", arrived, rejected=1)
    with serve() as client:
        data = client.get("/data").json()["tables"]
    commit = Lake.of(isolated).require("streams/pin").last_commit
    pin = data["result"].pop("streams/pin")
    assert (pin["records"], pin["quarantined"]) == (3, 1)
    assert datetime.fromisoformat(pin["committed"]) == commit.at
    assert pin["lag_seconds"] == pytest.approx((commit.at - arrived[0]).total_seconds(), abs=0.001)
    assert data == {"result": {"streams/geo": None, "streams/user": None}, "error": None, "since": None}


def test_table_reader_follows_new_commits_and_a_recreated_table(writer: TableWriter, isolated: Settings) -> None:
    tables, now = TableReader(isolated), datetime.now(UTC)

    def records() -> int | None:
        progress = tables.read()["streams/geo"]
        return None if progress is None else progress.records

    assert records() is None
    for expected in (2, 4, 6):
        writer.commit("geo", [now, now])
        assert records() == expected
    delete_table(Lake.of(isolated), "streams/geo")
    assert records() is None
    writer.commit("geo", [now])
    assert records() == 1


def test_data_without_tables_is_null_without_an_error(serve: Serve) -> None:
    with serve() as client:
        data = client.get("/data").json()
    no_error = {"error": None, "since": None}
    assert data["realtime"] == {"result": None, **no_error}
    assert data["tables"] == {"result": dict.fromkeys(("streams/pin", "streams/geo", "streams/user")), **no_error}


def test_postgres_outage_is_reported_beside_the_delta_tables(serve: Serve, writer: TableWriter) -> None:
    writer.commit("pin", [datetime.now(UTC)])
    address = f"127.0.0.1:{ports.free_port()}"
    with serve(PIN_POSTGRES_URL=f"postgresql://pin:secret@{address}/there") as client:
        first, second = (client.get("/data", params={"minutes": minutes}).json() for minutes in (5, 15))
    assert f"Postgres at {address}/there does not respond" in first["realtime"]["error"]
    assert "secret" not in str(first)
    assert first["realtime"]["since"] == second["realtime"]["since"] is not None
    assert first["tables"]["result"]["streams/pin"]["records"] == 1


def test_lake_outage_is_reported_beside_the_counts_from_postgres(serve: Serve, writer: TableWriter) -> None:
    writer.create_tables()
    endpoint_url = f"http://127.0.0.1:{ports.free_port()}"
    with serve(PIN_S3_ENDPOINT_URL=endpoint_url) as client:
        data = client.get("/data").json()
    error = data["tables"]["error"]
    assert "streams/pin" in error
    assert endpoint_url in error
    assert "Connection refused" in error
    assert "\x1b" not in error
    assert data["realtime"]["result"]["posts"] == [0] * 61


@pytest.mark.parametrize("minutes", ["7", "-5", "many", ""])
def test_invalid_window_is_refused_with_the_valid_ones(serve: Serve, minutes: str) -> None:
    with serve() as client:
        response = client.get("/data", params={"minutes": minutes})
    assert response.status_code == 422
    assert "5, 15, 60 or 1440" in response.text


def test_queries_cannot_write_and_read_only_the_index(isolated: Settings, writer: TableWriter) -> None:
    writer.create_tables()
    with psycopg.connect(isolated.postgres_url) as connection:
        connection.execute("SET enable_seqscan = off")
        now = datetime.now(UTC)
        parameters = {"since": now - HOUR, "bucket_seconds": 60, "now": now}
        plan = connection.execute(b"EXPLAIN " + realtime._sql("posts"), parameters).fetchall()
        assert "Index Only Scan" in str(plan)
    with psycopg.connect(isolated.postgres_url) as connection:
        connection.execute(realtime.READ_ONLY)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM experimental_data")
