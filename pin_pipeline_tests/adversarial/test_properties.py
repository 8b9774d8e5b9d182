"""Any records, in any order, batching, duplication and restart: the law holds; without its protections it does not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st
from pyspark.sql import SparkSession, functions

from pin_pipeline.batch import cleaning, quarantine_table
from pin_pipeline.local import s3
from pin_pipeline.reconciliation.findings import TopicFindings
from pin_pipeline.reconciliation.objects import ObjectReader
from pin_pipeline.reconciliation.tables import TopicTables
from pin_pipeline.reconciliation.topic import audit
from pin_pipeline.records import GEO
from pin_pipeline.settings import Settings
from pin_pipeline.storage import object_format
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import Row, put, run_clean, table, totals
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import geo

Session = Callable[[], SparkSession]
STEPS: list[tuple[ModuleType, str]] = [(cleaning, "read_objects"), (quarantine_table, "add"), (cleaning, "_publish")]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = st.integers(0, 5)
valid = st.builds(
    geo, keys, country=st.text(max_size=20), latitude=st.floats(-90, 90), longitude=st.integers(-180, 180)
)
bent = st.builds(lambda row, name, value: row | {name: value}, valid, st.sampled_from(sorted(geo())), json_values)
as_bytes = (valid | bent | json_values).map(lambda value: json.dumps(value).encode())
cut = st.builds(lambda raw, at: raw[:at], as_bytes, st.integers(0, 80))
flipped = st.builds(lambda raw, at: raw[:at] + b"\xff" + raw[at + 1 :], as_bytes, st.integers(0, 80))
over_lines = valid.map(lambda row: json.dumps(row, indent=1).encode())
raw_records = st.lists(
    as_bytes | cut | flipped | over_lines | st.binary(max_size=20) | st.none(), min_size=1, max_size=40
)


@dataclass(frozen=True)
class Day:
    """What comes before a cleaning: how many records of each partition, how many an object; and where it is killed."""

    records: tuple[int, int]
    size: int
    crash: tuple[int, bool] | None


days = st.builds(
    Day,
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.integers(1, 20),
    st.none() | st.tuples(st.integers(0, len(STEPS) - 1), st.booleans()),
)


@dataclass
class Topic:
    """Two partitions of records; the auditor asks it as it asks the broker."""

    values: dict[int, list[bytes | None]]

    def partitions(self) -> list[int]:
        return sorted(self.values)

    def begin(self, partition: int) -> int:
        del partition
        return 0

    def messages(self, partition: int, first: int) -> Iterator[tuple[int, bytes | None]]:
        return iter(list(enumerate(self.values[partition]))[first:])


def live_through(settings: Settings, session: Session, topic: Topic, course: Sequence[Day]) -> None:
    """Land and clean the records day by day, and what is left of them on a last day on which nothing is killed."""
    landed = [0, 0]
    for day in [*course, Day((len(topic.values[0]), len(topic.values[1])), 20, None)]:
        for partition in (0, 1):
            first = landed[partition]
            values = topic.values[partition][first : first + day.records[partition]]
            put(settings, "geo", values, first=first, partition=partition, size=day.size)
            landed[partition] += len(values)
        with killed(day):
            run_clean(settings, session, "geo")


def killed(day: Day) -> AbstractContextManager[None]:
    """Kill the day's cleaning where it says; it may never come there."""
    if day.crash is None:
        return nullcontext()
    step, done = day.crash
    return crash_at(*STEPS[step], done=done, certain=False)


def audited(settings: Settings, topic: Topic) -> TopicFindings:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    tables = TopicTables.read(GEO, lake.snapshot("cleaned/geo"), lake.snapshot("quarantine/geo"), 0)
    asked: Any = topic
    return audit(GEO, asked, ObjectReader(store.client, store.bucket, settings.topic("geo")), tables, {})


def content(settings: Settings) -> tuple[list[Row], list[Row]]:
    quarantined = "select source_partition, source_offset, reason, field, value, bytes from t order by 1, 2"
    there = Lake.of(settings).snapshot("quarantine/geo") is not None
    return (
        table(settings, "cleaned/geo", "select * from t order by ind"),
        table(settings, "quarantine/geo", quarantined) if there else [],
    )


def apart(settings: Settings) -> Settings:
    """A bucket of its own."""
    mine = replace(settings, bucket=f"b{uuid.uuid4().hex[:12]}")
    s3.create_bucket(mine.s3_endpoint_url, mine.bucket)
    return mine


@how(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    records=raw_records, again=st.lists(st.integers(0, 39), max_size=10), course=st.lists(days, min_size=1, max_size=3)
)
def test_any_course_of_days_gives_the_same_tables_and_the_law_holds(
    settings: Settings,
    session: Session,
    records: list[bytes | None],
    again: list[int],
    course: list[Day],
) -> None:
    values = [*records, *(records[number % len(records)] for number in again)]
    topic = Topic({0: values[::2], 1: values[1::2]})
    one, other = apart(settings), apart(settings)
    live_through(one, session, topic, course)
    live_through(other, session, topic, [])
    findings = audited(one, topic)
    assert list(findings.sentences()) == []
    assert findings.total("landed") == len(values)
    assert findings.total("waiting") == 0
    assert content(one) == content(other)
    assert totals(run_clean(one, session, "geo")["cleaned/geo"])[-1] == 0


def without_gaps(records: Any, *_: Any) -> Iterator[object_format.Chunk]:
    """Landing that does not close an object at what is no JSON, but leaves it out."""
    lines = [record for record in records if object_format.is_json(record.value)]
    yield object_format.Chunk("topics", 0, tuple(record.value for record in lines))


@pytest.mark.parametrize("protection", [None, "quarantine", "gaps", "latest"])
def test_with_one_protection_switched_off_and_only_then_the_law_is_broken_and_the_auditor_says_so(
    settings: Settings, session: Session, monkeypatch: pytest.MonkeyPatch, protection: str | None
) -> None:
    raw = [json.dumps(row).encode() for row in (geo(1), geo(2), geo(1, country="newer"), geo(3))]
    topic = Topic({0: [raw[0], b"no json", *raw[1:]], 1: []})
    switch_off(monkeypatch, protection)
    live_through(settings, session, topic, [])
    assert bool(list(audited(settings, topic).sentences())) is (protection is not None)


def switch_off(monkeypatch: pytest.MonkeyPatch, protection: str | None) -> None:
    match protection:
        case "quarantine":
            monkeypatch.setattr(quarantine_table, "add", lambda *_: None)
        case "gaps":
            monkeypatch.setattr("pin_pipeline_tests.batch.batch_helpers.chunks", without_gaps)
        case "latest":
            monkeypatch.setattr(functions, "max", functions.min)
