"""The numbers of the page, from a real Postgres and real Delta tables."""

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
from pin_pipeline_tests.dashboard.conftest import Serve, Streaming
from pin_pipeline_tests.streaming.test_delta_sink import delete

MINUTES = (5, 15, 60, 1440)
SECOND, TEN_MINUTES, HOUR = timedelta(seconds=1), timedelta(minutes=10), timedelta(hours=1)


def told(client: httpx.Client, minutes: int) -> dict[str, Any]:
    """What the page is told of a window."""
    data = client.get("/data", params={"minutes": minutes}).raise_for_status().json()
    assert data["realtime"]["problem"] is None
    answer: dict[str, Any] = data["realtime"]["answer"]
    return answer


def floor(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def test_posts_are_counted_in_the_bar_in_which_they_were_posted(serve: Serve, streaming: Streaming) -> None:
    streaming.make_tables()
    now = datetime.now(UTC)
    moments = {now - timedelta(minutes=minutes): n for n, minutes in enumerate((0.1, 1, *MINUTES, 7, 300, 2000), 1)}
    for moment, posts in moments.items():
        streaming.post(moment, times=posts)
    with serve() as client:
        for minutes in MINUTES:
            answer = told(client, minutes)
            since, length = datetime.fromisoformat(answer["posts_since"]), timedelta(seconds=answer["bucket_seconds"])
            assert length == timedelta(minutes=minutes) / 60
            assert since <= now - 60 * length + 10 * SECOND
            expected: Counter[int] = Counter()
            for moment, posts in moments.items():
                if moment >= since:
                    expected[(moment - since) // length] += posts
            assert dict(enumerate(answer["posts"])) == {n: expected[n] for n in range(len(answer["posts"]))}
            assert len(answer["posts"]) == 61


def test_lag_is_that_of_what_was_written_in_the_last_minute(serve: Serve, streaming: Streaming) -> None:
    streaming.make_tables()
    now = datetime.now(UTC)
    lags = [0.5, 0.75, 1.5, 2, 30, 600]
    for lag in lags:
        streaming.post(now - timedelta(seconds=lag) - SECOND, timedelta(seconds=lag))
    streaming.post(now - HOUR, timedelta(minutes=5), times=100)
    with serve() as client:
        lag = told(client, 5)["lag"]
    assert lag["posted_in_last_minute"] == 5
    assert lag["median_seconds"] == pytest.approx(median(lags))
    assert lag["worst_seconds"] == pytest.approx(600)
    assert datetime.fromisoformat(lag["newest"]) == now - SECOND


def test_no_post_for_a_while_leaves_the_lag_open_and_tells_the_newest(serve: Serve, streaming: Streaming) -> None:
    streaming.make_tables()
    long_ago = datetime.now(UTC) - timedelta(days=2)
    streaming.post(long_ago)
    with serve() as client:
        answer = told(client, 5)
    assert sum(answer["posts"]) == 0
    assert answer["lag"] == {
        "posted_in_last_minute": 0,
        "median_seconds": None,
        "worst_seconds": None,
        "newest": (long_ago + SECOND).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("minutes", MINUTES)
def test_categories_add_up_over_the_windows_that_cover_what_is_looked_at(
    serve: Serve, streaming: Streaming, minutes: int
) -> None:
    streaming.make_tables()
    newest = floor(datetime.now(UTC), 300)
    trends = {newest - timedelta(minutes=5 * n): {"art": n, "travel": 500, f"c{n % 12}": 1} for n in range(1, 300, 7)}
    trends[newest] = {"art": 1, "travel": 3}
    for start, posts in trends.items():
        streaming.trend(start, **posts)
    with serve() as client:
        answer = told(client, minutes)
    since = datetime.fromisoformat(answer["categories_since"])
    assert timedelta(minutes=minutes) <= datetime.now(UTC) - since < timedelta(minutes=minutes + 6)
    expected: Counter[str] = Counter()
    for start, posts in trends.items():
        if start >= since:
            expected.update(posts)
    ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [(row["name"], row["posts"]) for row in answer["categories"]] == ranked


@pytest.mark.parametrize("minutes", MINUTES)
def test_posters_are_counted_once_though_each_post_is_in_six_windows(
    serve: Serve, streaming: Streaming, minutes: int
) -> None:
    streaming.make_tables()
    now = datetime.now(UTC)
    posts = [(now - timedelta(minutes=7 * n), ("Ada", "Bob", "Cy")[n % 3]) for n in range(190)]
    windows: dict[datetime, Counter[str]] = {}
    for moment, poster in posts:
        for number in range(6):
            windows.setdefault(floor(moment, 600) - number * TEN_MINUTES, Counter())[poster] += 1
    for start, counts in windows.items():
        streaming.popularity(start, counts, {"Bob": int(start.timestamp())})
    with serve() as client:
        answer = told(client, minutes)
    since = datetime.fromisoformat(answer["posters_since"])
    inside = Counter(poster for moment, poster in posts if moment >= since)
    assert {row["name"]: row["posts"] for row in answer["posters"]} == inside
    followers = {row["name"]: row["followers"] for row in answer["posters"]}
    latest = int((since + (answer["posters_hours"] - 1) * HOUR).timestamp())
    assert followers.get("Bob", latest) == latest
    assert followers.get("Ada") is None
    assert answer["posters_hours"] == max(minutes // 60, 1)


def test_delta_tables_tell_what_their_last_commit_says(serve: Serve, streaming: Streaming, here: Settings) -> None:
    arrived = [datetime.now(UTC) - timedelta(seconds=seconds) for seconds in (9, 4, 3)]
    streaming.commit("pin", arrived, misfits=1)
    with serve() as client:
        data = client.get("/data").json()["tables"]
    commit = Lake.of(here).existing("streams/pin").last_commit
    pin = data["answer"].pop("streams/pin")
    assert (pin["records"], pin["quarantined"]) == (3, 1)
    assert datetime.fromisoformat(pin["committed"]) == commit.at
    assert pin["lag_seconds"] == pytest.approx((commit.at - arrived[0]).total_seconds(), abs=0.001)
    assert data == {"answer": {"streams/geo": None, "streams/user": None}, "problem": None, "since": None}


def test_a_delta_table_is_followed_over_new_commits_and_over_being_made_anew(
    streaming: Streaming, here: Settings
) -> None:
    tables, now = TableReader(here), datetime.now(UTC)

    def records() -> int | None:
        progress = tables.look()["streams/geo"]
        return None if progress is None else progress.records

    assert records() is None
    for expected in (2, 4, 6):
        streaming.commit("geo", [now, now])
        assert records() == expected
    delete(Lake.of(here), "streams/geo")
    assert records() is None
    streaming.commit("geo", [now])
    assert records() == 1


def test_before_the_first_job_runs_there_is_nothing_and_no_problem(serve: Serve) -> None:
    with serve() as client:
        data = client.get("/data").json()
    nothing = {"problem": None, "since": None}
    assert data["realtime"] == {"answer": None, **nothing}
    assert data["tables"] == {"answer": dict.fromkeys(("streams/pin", "streams/geo", "streams/user")), **nothing}


def test_a_postgres_that_does_not_answer_is_named_and_the_tables_are_told_still(
    serve: Serve, streaming: Streaming
) -> None:
    streaming.commit("pin", [datetime.now(UTC)])
    place = f"127.0.0.1:{ports.free()}"
    with serve(PIN_POSTGRES_URL=f"postgresql://pin:secret@{place}/there") as client:
        first, second = (client.get("/data", params={"minutes": minutes}).json() for minutes in (5, 15))
    assert f"Postgres at {place}/there does not answer" in first["realtime"]["problem"]
    assert "secret" not in str(first)
    assert first["realtime"]["since"] == second["realtime"]["since"] is not None
    assert first["tables"]["answer"]["streams/pin"]["records"] == 1


def test_a_lake_that_does_not_answer_is_named_and_postgres_is_told_still(serve: Serve, streaming: Streaming) -> None:
    streaming.make_tables()
    where = f"http://127.0.0.1:{ports.free()}"
    with serve(PIN_S3_ENDPOINT_URL=where) as client:
        data = client.get("/data").json()
    problem = data["tables"]["problem"]
    assert "streams/pin" in problem
    assert where in problem
    assert "Connection refused" in problem
    assert "\x1b" not in problem
    assert data["realtime"]["answer"]["posts"] == [0] * 61


@pytest.mark.parametrize("minutes", ["7", "-5", "many", ""])
def test_a_window_that_there_is_not_is_refused_with_those_that_there_are(serve: Serve, minutes: str) -> None:
    with serve() as client:
        answer = client.get("/data", params={"minutes": minutes})
    assert answer.status_code == 422
    assert "5, 15, 60 or 1440" in answer.text


def test_looking_changes_nothing_and_reads_the_index_alone(here: Settings, streaming: Streaming) -> None:
    streaming.make_tables()
    with psycopg.connect(here.postgres_url) as connection:
        connection.execute("SET enable_seqscan = off")
        now = datetime.now(UTC)
        parameters = {"since": now - HOUR, "bucket_seconds": 60, "now": now}
        plan = connection.execute(b"EXPLAIN " + realtime._sql("posts"), parameters).fetchall()
        assert "Index Only Scan" in str(plan)
    with psycopg.connect(here.postgres_url) as connection:
        connection.execute(realtime.SAFELY)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM experimental_data")
