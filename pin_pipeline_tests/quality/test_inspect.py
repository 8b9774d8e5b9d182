"""The checks of the cleaned tables, on real tables: what fails is counted, and shown without personal data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from deltalake import write_deltalake
from pyspark.sql import SparkSession

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.lakehouse.report import Check, Severity
from pin_pipeline.quality.inspect import DESCRIPTIONS, cleaned_tables, complete_posts, inspect
from pin_pipeline.records import KINDS
from pin_pipeline_tests.lakehouse.landed import put, run_clean
from pin_pipeline_tests.rows import geo, pin, user

Session = Callable[[], SparkSession]


def inspected(settings: Settings, kind: str) -> dict[str, Check]:
    tables = cleaned_tables(Lake.of(settings))
    checks = inspect(KINDS[kind], tables[kind], complete_posts(tables), datetime.now(UTC))
    return {check.name: check for check in checks}


def failed(settings: Settings, kind: str) -> set[str]:
    return {name for name, check in inspected(settings, kind).items() if not check.passed}


def test_good_tables_pass_every_check(settings: Settings, session: Session) -> None:
    for kind, row in {"pin": pin, "geo": geo, "user": user}.items():
        put(settings, kind, [row(number) for number in range(5)])
    run_clean(settings, session)
    for kind, definition in KINDS.items():
        checks = inspected(settings, kind)
        assert [name for name, check in checks.items() if not check.passed] == []
        assert set(checks) == set(DESCRIPTIONS) | {expectation.name for expectation in definition.expectations}


def test_what_differs_is_counted_and_shown_with_its_key_and_position(settings: Settings, session: Session) -> None:
    strange = [
        pin(1, category="cats", save_location="/data/cats"),
        pin(2, save_location="/data/arts"),
        pin(3, unique_id="3"),
        pin(4, is_image_or_video="hologram"),
        pin(5, follower_count="9b"),
    ]
    put(settings, "pin", [*strange, *(pin(number) for number in range(6, 20))])
    put(
        settings, "geo", [geo(number, country=" ") for number in range(15)] + [geo(15, timestamp="1999-12-31 00:00:00")]
    )
    put(
        settings,
        "user",
        [user(number) for number in range(1, 20)] + [user(20, age=9, date_joined="2199-01-01 00:00:00")],
    )
    run_clean(settings, session)
    expectations = {expectation.name for expectation in KINDS["pin"].expectations}
    assert failed(settings, "pin") == expectations | {"posts_complete"}
    assert failed(settings, "geo") == {"posted_in_range", "columns_filled", "posts_complete"}
    assert failed(settings, "user") == {"age_in_range", "joined_in_range", "posts_complete"}
    check = inspected(settings, "pin")["category_known"]
    assert (check.severity, check.metadata["rows"], check.metadata["failed"]) == (Severity.WARN, 19, 1)
    assert check.metadata["sample"] == (
        "| ind | category | source_partition | source_offset |\n| --- | --- | --- | --- |\n| 1 | cats | 0 | 0 |"
    )
    complete = inspected(settings, "pin")["posts_complete"].metadata
    assert (complete["posts"], complete["in_all_three"]) == (19, 15)


def test_a_doubled_key_stops_the_day(settings: Settings, session: Session) -> None:
    put(settings, "pin", [pin(1), pin(2)])
    run_clean(settings, session, "pin")
    cleaned = Lake.of(settings).existing("cleaned/pin")
    write_deltalake(cleaned.delta, cleaned.query("select * from t where ind = 1"), mode="append")
    check = inspected(settings, "pin")["keys_unique_and_present"]
    assert (check.passed, check.severity, check.metadata) == (False, Severity.ERROR, {"doubled": 1, "missing": 0})


def test_no_sample_shows_personal_data() -> None:
    for kind in KINDS.values():
        personal = {column.name for column in kind.columns if column.personal}
        personal |= {field for column in kind.columns if column.personal for field in column.fields}
        assert personal, "names and places are personal"
        assert not personal & {column for expectation in kind.expectations for column in expectation.shown}


def test_each_published_column_has_a_share_that_must_be_filled(settings: Settings, session: Session) -> None:
    put(settings, "geo", [geo(1, country=None), geo(2)])
    run_clean(settings, session, "geo")
    check = inspected(settings, "geo")["columns_filled"]
    assert (check.passed, check.metadata["failed"]) == (False, 1)
    assert "| country | 50.0% | 100% |" in str(check.metadata["shares"])
    for kind in KINDS.values():
        assert all(0 < column.filled <= 1 for column in kind.columns)
