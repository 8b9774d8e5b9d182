"""The ten queries against an independent computation, and when they are recomputed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put, run_clean, table
from pin_pipeline_tests.helpers import reference
from pin_pipeline_tests.helpers.rows import geo, pin, user

Session = Callable[[], SparkSession]
# One query of each set of tables that a query can read.
EACH_INPUTS = tuple({query.inputs: query.name for query in QUERIES.values()}.values())


def run_answer(settings: Settings, session: Session, *names: str) -> dict[str, Report]:
    queries = [QUERIES[name] for name in names or QUERIES]
    return {report.key: report for report in run_queries(session, Lake.of(settings), queries)}


def hard_rows() -> dict[str, list[dict[str, Any]]]:
    """Few values, so that ties, empty groups and boundaries are many."""
    random = Random(11)

    def moment(first: int, last: int) -> str:
        start = datetime(first, 1, 1)  # noqa: DTZ001 - written without a zone, as the source has it
        return str(start + timedelta(seconds=random.randrange(31_556_952 * (last - first))))

    counts = ["0", "5", "1k", "1.5k", "2M", "User Info Error"]
    edges = ["2017-12-31 23:59:59", "2018-01-01 00:00:00", "2022-12-31T23:59:59", "2023-01-01T00:00:00"]
    joins = ["2014-12-31 23:59:59", "2015-01-01 00:00:00", "2020-12-31 23:59:59", "2021-01-01 00:00:00"]
    ages = [17, 18, 24, 25, 35, 36, 50, 51, 60]
    return {
        "pin": [
            pin(
                key,
                category=random.choice("abc"),
                follower_count=(count := random.choice(counts)),
                poster_name=count if count == "User Info Error" else random.choice(["Ada", "Bob", "Cy"]),
            )
            for key in range(160)
        ],
        "geo": [
            geo(
                key,
                country=random.choice(["Chad", "Cuba", "Côte d'Ivoire", "Korea (North)"]),
                timestamp=edges[key % 4] if key % 10 == 0 else moment(2017, 2024),
            )
            for key in range(20, 180)
        ],
        "user": [
            user(
                key,
                first_name=random.choice(["Ada", "Bob"]),
                age=random.choice(ages),
                date_joined=joins[key % 4] if key % 5 == 0 else "2016-05-05 05:05:05",
            )
            for key in range(10, 170)
        ],
    }


def test_every_query_gives_what_an_independent_computation_gives_in_the_columns_of_the_graph(
    settings: Settings, session: Session
) -> None:
    rows = hard_rows()
    for record_type, of_record_type in rows.items():
        put(settings, record_type, of_record_type)
    run_clean(settings, session)
    reports = run_answer(settings, session)
    expected = reference.queries(reference.cleaned(rows))
    assert set(expected) == set(QUERIES)
    for name, query in QUERIES.items():
        found = [tuple(row[column.name] for column in query.columns) for row in table(settings, query.key)]
        assert sorted(found) == sorted(expected[name]), name
        assert reports[query.key].rows == len(found) > 0
        schema = session().read.format("delta").load(Lake.of(settings).path(query.key)).schema
        shown = [(field.name, field.dataType.simpleString(), field.metadata["comment"]) for field in schema]
        assert shown == [(column.name, column.type, column.description) for column in query.columns]


@pytest.fixture
def small(settings: Settings, session: Session) -> Settings:
    """A lake with one post."""
    for record_type, row in {"pin": pin(1), "geo": geo(1), "user": user(1)}.items():
        put(settings, record_type, [row])
    run_clean(settings, session)
    return settings


def test_a_query_is_left_alone_until_one_of_its_inputs_changes(small: Settings, session: Session) -> None:
    run_answer(small, session, *EACH_INPUTS)
    again = run_answer(small, session, *EACH_INPUTS)
    assert {report.metadata["recomputed"] for report in again.values()} == {0}
    put(small, "user", [user(1, age=60)], first=1)
    run_clean(small, session)
    reports = run_answer(small, session, *EACH_INPUTS)
    recomputed = {key for key, report in reports.items() if report.metadata["recomputed"]}
    assert recomputed == {QUERIES[name].key for name in EACH_INPUTS if "user" in QUERIES[name].inputs} < set(reports)


def test_one_query_can_be_answered_alone_and_is_read_by_readers_that_need_no_spark(
    small: Settings, session: Session
) -> None:
    key = "queries/median_followers_by_age_group"
    assert set(run_answer(small, session, "median_followers_by_age_group")) == {key}
    assert table(small, key) == [{"age_group": "36-50", "median_follower_count": 12_000.0}]
    assert Lake.of(small).snapshot("queries/posts_by_category_and_year") is None


def test_a_query_before_its_tables_says_what_to_materialize(settings: Settings, session: Session) -> None:
    with pytest.raises(ValueError, match=r"there is no table at .*/lake/cleaned/user; materialize cleaned/user first"):
        run_answer(settings, session, "users_joined_by_year")
