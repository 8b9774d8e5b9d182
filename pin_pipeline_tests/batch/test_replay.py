"""Replay after a rule was fixed: accepted records leave the quarantine exactly once, the others stay."""

from __future__ import annotations

from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.records import PIN
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.settings import Settings
from pin_pipeline_tests.batch.batch_helpers import put, redefined, run_clean, table, totals
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import pin

Engine = BatchEngine[Any]
# With "many" as a sentinel, three of the five quarantined records are accepted.
FIXED = redefined(PIN, "follower_count", sentinels=("User Info Error", "many"))
MANY = {"follower_count": "many"}
RECORDS: list[Any] = [
    pin(1, title="old", **MANY),
    pin(1, title="new"),
    pin(2, **MANY),
    b'{"a":\n1}',
    pin(3, **MANY, age=1, downloaded="yes"),
    pin(2, title="older", **MANY),
]
PUBLISHED = "select ind, title, source_offset from t order by ind"
QUARANTINED = "select source_offset, reason, field, rules_version, first_seen from t order by source_offset"


def titles(settings: Settings) -> list[tuple[int, str]]:
    return [(row["ind"], row["title"]) for row in table(settings, "cleaned/pin", PUBLISHED)]


def in_quarantine(settings: Settings) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table(settings, "quarantine/pin", QUARANTINED)]


def test_replay_publishes_accepted_records_once_and_updates_rejections(settings: Settings, engine: Engine) -> None:
    put(settings, "pin", RECORDS)
    assert totals(run_clean(settings, engine, PIN)["cleaned/pin"]) == (6, 1, 0, 5, 0)
    first_seen_by_offset = {offset: first_seen for offset, *_, first_seen in in_quarantine(settings)}
    report = run_clean(settings, engine, FIXED, replay=True)["cleaned/pin"]
    assert totals(report) == (6, 2, 2, 2, 0)
    assert (report.metadata["new_replayed"], report.metadata["new_landed"]) == (3, 0)
    assert titles(settings) == [(1, "new"), (2, "older")]
    version = rules_version(FIXED)
    assert in_quarantine(settings) == [
        (3, "no_key", "index", version, first_seen_by_offset[3]),
        (4, "wrong_type", "downloaded", version, first_seen_by_offset[4]),
    ]
    second = run_clean(settings, engine, FIXED, replay=True)["cleaned/pin"]
    assert (totals(second), second.metadata["new_replayed"]) == ((6, 2, 2, 2, 0), 0)


@pytest.mark.parametrize(
    ("step", "done"),
    [("update_quarantine", True), ("publish", True)],
    ids=lambda value: {True: "after", False: "before"}.get(value, value),
)
def test_replay_crash_never_loses_or_duplicates_record(
    settings: Settings, engine: Engine, next_engine: Engine, step: str, done: bool
) -> None:
    put(settings, "pin", RECORDS)
    run_clean(settings, engine, PIN)
    with crash_at(engine, step, done=done):
        run_clean(settings, engine, FIXED, replay=True)
    # The next cleaning uses the batch number of the killed replay.
    put(settings, "pin", [pin(9), pin(8, age=2, downloaded=None)], first=len(RECORDS))
    published = step == "publish" and done
    expected = (8, 3, 2, 3, 0) if published else (8, 2, 0, 6, 0)
    assert totals(run_clean(settings, next_engine, FIXED)["cleaned/pin"]) == expected
    assert totals(run_clean(settings, next_engine, FIXED, replay=True)["cleaned/pin"]) == (8, 3, 2, 3, 0)
    assert titles(settings) == [(1, "new"), (2, "older"), (9, "Pin 9")]
    assert [offset for offset, *_ in in_quarantine(settings)] == [3, 4, 7]
