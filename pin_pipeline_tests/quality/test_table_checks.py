"""Data quality checks of real cleaned tables: failures are counted, and samples contain no personal data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deltalake import write_deltalake

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.quality.table_checks import DESCRIPTIONS, check_table, cleaned_tables, count_complete_posts
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.reports import Check, Severity
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline_tests.batch.batch_helpers import put, run_clean
from pin_pipeline_tests.helpers.rows import geo, pin, user

Engine = BatchEngine[Any]


def run_checks(settings: Settings, record_type: str) -> dict[str, Check]:
    tables = cleaned_tables(Lake.of(settings))
    checks = check_table(
        RECORD_TYPES[record_type], tables[record_type], count_complete_posts(tables), datetime.now(UTC)
    )
    return {check.name: check for check in checks}


def failed_checks(settings: Settings, record_type: str) -> set[str]:
    return {name for name, check in run_checks(settings, record_type).items() if not check.passed}


def test_table_checks_pass_on_valid_tables(settings: Settings, engine: Engine) -> None:
    for record_type, row in {"pin": pin, "geo": geo, "user": user}.items():
        put(settings, record_type, [row(number) for number in range(5)])
    run_clean(settings, engine)
    for record_type, definition in RECORD_TYPES.items():
        checks = run_checks(settings, record_type)
        assert [name for name, check in checks.items() if not check.passed] == []
        assert set(checks) == set(DESCRIPTIONS) | {expectation.name for expectation in definition.expectations}


def test_table_checks_count_and_sample_failures_with_key_and_position(settings: Settings, engine: Engine) -> None:
    unusual = [
        pin(1, category="cats", save_location="/data/cats"),
        pin(2, save_location="/data/arts"),
        pin(3, unique_id="3"),
        pin(4, is_image_or_video="hologram"),
        pin(5, follower_count="9b"),
    ]
    put(settings, "pin", [*unusual, *(pin(number) for number in range(6, 20))])
    put(
        settings, "geo", [geo(number, country=" ") for number in range(15)] + [geo(15, timestamp="1999-12-31 00:00:00")]
    )
    put(
        settings,
        "user",
        [user(number) for number in range(1, 20)] + [user(20, age=9, date_joined="2199-01-01 00:00:00")],
    )
    run_clean(settings, engine)
    expectations = {expectation.name for expectation in RECORD_TYPES["pin"].expectations}
    assert failed_checks(settings, "pin") == expectations | {"referential_integrity"}
    assert failed_checks(settings, "geo") == {"posted_in_range", "null_rate", "referential_integrity"}
    assert failed_checks(settings, "user") == {"age_in_range", "joined_in_range", "referential_integrity"}
    check = run_checks(settings, "pin")["category_known"]
    assert (check.severity, check.metadata["rows"], check.metadata["failed"]) == (Severity.WARN, 19, 1)
    assert check.metadata["sample"] == (
        "| ind | category | source_partition | source_offset |\n| --- | --- | --- | --- |\n| 1 | cats | 0 | 0 |"
    )
    complete = run_checks(settings, "pin")["referential_integrity"].metadata
    assert (complete["posts"], complete["in_all_three"]) == (19, 15)


def test_primary_key_check_fails_with_error_on_duplicate_key(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", [pin(1), pin(2)])
    run_clean(settings, engine, "pin")
    cleaned = Lake.of(settings).require("cleaned/pin")
    write_deltalake(cleaned.delta, cleaned.query("select * from t where ind = 1"), mode="append")
    check = run_checks(settings, "pin")["primary_key_unique_not_null"]
    assert (check.passed, check.severity) == (False, Severity.ERROR)
    assert check.metadata == {"duplicate_keys": 1, "null_keys": 0}


def test_samples_contain_no_personal_data() -> None:
    for record_type in RECORD_TYPES.values():
        personal = {column.name for column in record_type.columns if column.personal}
        personal |= {field for column in record_type.columns if column.personal for field in column.fields}
        assert personal, "names and places are personal"
        assert not personal & {
            column for expectation in record_type.expectations for column in expectation.sample_columns
        }


def test_null_rate_check_compares_each_column_with_its_limit(settings: Settings, engine: Engine) -> None:
    put(settings, "geo", [geo(1, country=None), geo(2)])
    run_clean(settings, engine, "geo")
    check = run_checks(settings, "geo")["null_rate"]
    assert (check.passed, check.metadata["failed"]) == (False, 1)
    assert "| country | 50.0% | 0% |" in str(check.metadata["null_rates"])
    for record_type in RECORD_TYPES.values():
        assert all(0 < column.min_filled <= 1 for column in record_type.columns)
