"""The checks of the cleaned tables, on real tables: what fails is counted, and shown without personal data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from deltalake import write_deltalake
from pyspark.sql import SparkSession

from pin_pipeline.quality.table_checks import DESCRIPTIONS, cleaned_tables, complete_posts, inspect
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.reports import Check, Severity
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put, run_clean
from pin_pipeline_tests.helpers.rows import geo, pin, user

Session = Callable[[], SparkSession]


def inspected(settings: Settings, record_type: str) -> dict[str, Check]:
    tables = cleaned_tables(Lake.of(settings))
    checks = inspect(RECORD_TYPES[record_type], tables[record_type], complete_posts(tables), datetime.now(UTC))
    return {check.name: check for check in checks}


def failed(settings: Settings, record_type: str) -> set[str]:
    return {name for name, check in inspected(settings, record_type).items() if not check.passed}


def test_good_tables_pass_every_check(settings: Settings, session: Session) -> None:
    for record_type, row in {"pin": pin, "geo": geo, "user": user}.items():
        put(settings, record_type, [row(number) for number in range(5)])
    run_clean(settings, session)
    for record_type, definition in RECORD_TYPES.items():
        checks = inspected(settings, record_type)
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
    expectations = {expectation.name for expectation in RECORD_TYPES["pin"].expectations}
    assert failed(settings, "pin") == expectations | {"referential_integrity"}
    assert failed(settings, "geo") == {"posted_in_range", "null_rate", "referential_integrity"}
    assert failed(settings, "user") == {"age_in_range", "joined_in_range", "referential_integrity"}
    check = inspected(settings, "pin")["category_known"]
    assert (check.severity, check.metadata["rows"], check.metadata["failed"]) == (Severity.WARN, 19, 1)
    assert check.metadata["sample"] == (
        "| ind | category | source_partition | source_offset |\n| --- | --- | --- | --- |\n| 1 | cats | 0 | 0 |"
    )
    complete = inspected(settings, "pin")["referential_integrity"].metadata
    assert (complete["posts"], complete["in_all_three"]) == (19, 15)


def test_a_doubled_key_stops_the_day(settings: Settings, session: Session) -> None:
    put(settings, "pin", [pin(1), pin(2)])
    run_clean(settings, session, "pin")
    cleaned = Lake.of(settings).existing("cleaned/pin")
    write_deltalake(cleaned.delta, cleaned.query("select * from t where ind = 1"), mode="append")
    check = inspected(settings, "pin")["primary_key_unique_not_null"]
    assert (check.passed, check.severity, check.metadata) == (False, Severity.ERROR, {"doubled": 1, "missing": 0})


def test_no_sample_shows_personal_data() -> None:
    for record_type in RECORD_TYPES.values():
        personal = {column.name for column in record_type.columns if column.personal}
        personal |= {field for column in record_type.columns if column.personal for field in column.fields}
        assert personal, "names and places are personal"
        assert not personal & {column for expectation in record_type.expectations for column in expectation.shown}


def test_each_published_column_has_a_share_that_must_be_filled(settings: Settings, session: Session) -> None:
    put(settings, "geo", [geo(1, country=None), geo(2)])
    run_clean(settings, session, "geo")
    check = inspected(settings, "geo")["null_rate"]
    assert (check.passed, check.metadata["failed"]) == (False, 1)
    assert "| country | 50.0% | 100% |" in str(check.metadata["shares"])
    for record_type in RECORD_TYPES.values():
        assert all(0 < column.filled <= 1 for column in record_type.columns)
