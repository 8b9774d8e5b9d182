"""Equality of the engines: the same tables, statistics and reports, in any order of days, engines and crashes.

Two lakes are built from the same landed objects. In each step, one is processed by Spark and the other by the embedded
engine, so that every step is compared, and each engine continues on the tables of the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pin_pipeline.batch.batch_stats import MAX_UNKNOWN_FIELDS
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.batch.rebuild import rebuild
from pin_pipeline.records import PIN, RECORD_TYPES, RecordType
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress
from pin_pipeline_tests.batch.batch_helpers import Row, put, redefined
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.batch.engine_comparison import report_state, table_state
from pin_pipeline_tests.helpers.rows import geo, pin, user

Engine = BatchEngine[Any]
PARTITIONS = 3
# With "many" as a sentinel, records with it are accepted.
FIXED = redefined(PIN, "follower_count", sentinels=("User Info Error", "many"))
CLEAN_STEPS = ("collect_stats", "add_to_quarantine", "publish")
REPLAY_STEPS = (*CLEAN_STEPS, "update_quarantine", "remove_published")
REBUILD_STEPS = (*CLEAN_STEPS, "replace_quarantine", "replace_cleaned")

keys = st.integers(0, 4)
accepted = st.builds(
    pin,
    keys,
    title=st.text(max_size=10),
    follower_count=st.sampled_from(["0", "1k", "2M", "User Info Error"]),
    downloaded=st.integers(0, 1),
    tag_list=st.sampled_from(["a,b", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", ""]),
)
unknown = st.builds(lambda row, more: row | more, accepted, st.dictionaries(st.text(min_size=1, max_size=3), st.none()))
rejected = st.builds(lambda row, more: row | more, accepted, st.sampled_from([{"age": 1, "category": 7}, {"title": 1}]))
replayed = accepted.map(lambda row: row | {"follower_count": "many"})
records = st.lists(
    accepted | unknown | rejected | replayed | st.sampled_from([b"no json", b'{"a":\n1}', None, [1]]),
    min_size=3,
    max_size=12,
)


@dataclass(frozen=True)
class Step:
    """One run of the batch, after records have been landed.

    Attributes:
        values: new records of a partition.
        partition: their partition; records of a lower partition may be late, because offsets decide.
        action: clean, replay or rebuild.
        is_fixed: whether the fixed rules apply.
        swap: whether the engines swap the lakes before the step.
        crash: number that selects a step to crash at, and whether after it; None for no crash.
    """

    values: Sequence[Any]
    partition: int
    action: str
    is_fixed: bool
    swap: bool
    crash: tuple[int, bool] | None

    @property
    def record_type(self) -> RecordType:
        return FIXED if self.is_fixed else PIN

    def crash_of(self, engine: Engine) -> AbstractContextManager[None]:
        if self.crash is None:
            return nullcontext()
        steps = {"clean": CLEAN_STEPS, "replay": REPLAY_STEPS, "rebuild": REBUILD_STEPS}[self.action]
        number, done = self.crash
        return crash_at(engine, steps[number % len(steps)], done=done, certain=False)


steps = st.lists(
    st.builds(
        Step,
        records,
        st.integers(0, PARTITIONS - 1),
        st.sampled_from(["clean", "clean", "replay", "rebuild"]),
        st.booleans(),
        st.booleans(),
        st.none() | st.tuples(st.integers(0, len(REPLAY_STEPS) - 1), st.booleans()),
    ),
    min_size=2,
    max_size=4,
)


def two_lakes(settings: Settings) -> list[Lake]:
    """Return two empty lakes in one bucket."""
    return [replace(Lake.of(settings), root=name) for name in ("one", "two")]


def run(engine: Engine, lake: Lake, settings: Settings, step: Step) -> list[Report]:
    topics, store = {settings.topic("pin"): step.record_type}, ObjectStore.of(settings)
    if step.action == "rebuild":
        return list(rebuild(engine, lake, store, topics))
    return list(clean_topics(engine, lake, store, topics, replay=step.action == "replay"))


def run_on_both(engines: Sequence[Engine], lakes: Sequence[Lake], settings: Settings, step: Step) -> None:
    """Run a step on each lake, with an engine each, and compare the lakes."""
    reports: list[Any] = [None, None]
    before = [table_state(lake, "quarantine/pin") for lake in lakes]
    for number, (engine, lake) in enumerate(zip(engines, lakes, strict=True)):
        with step.crash_of(engine):
            reports[number] = [report_state(report) for report in run(engine, lake, settings, step)]
    assert reports[0] == reports[1]
    for key in ("cleaned/pin", "quarantine/pin"):
        one, two = (table_state(lake, key) for lake in lakes)
        assert (one and one.comparable()) == (two and two.comparable())
    for lake, earlier in zip(lakes, before, strict=True):
        later = table_state(lake, "quarantine/pin")
        if earlier is not None and later is not None:
            kept = earlier.first_seen.keys() & later.first_seen.keys()
            assert {at: earlier.first_seen[at] for at in kept} == {at: later.first_seen[at] for at in kept}


@hypothesis_settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=steps)
def test_engines_give_equal_tables_and_reports_for_any_sequence_of_steps_and_crashes(
    settings: Settings, spark_engine: SparkEngine, embedded_engine: EmbeddedEngine, sequence: list[Step]
) -> None:
    settings = settings.model_copy(update={"prefix": f"t{uuid.uuid4().hex[:12]}"})
    lakes = [replace(lake, root=f"{settings.prefix}-{lake.root}") for lake in two_lakes(settings)]
    engines: list[Engine] = [spark_engine, embedded_engine]
    first = [0] * PARTITIONS
    for step in [*sequence, Step([], 0, "replay", is_fixed=True, swap=True, crash=None)]:
        put(settings, "pin", step.values, first=first[step.partition], partition=step.partition, size=5)
        first[step.partition] += len(step.values)
        if step.swap:
            engines.reverse()
        run_on_both(engines, lakes, settings, step)


def test_engines_give_equal_tables_for_each_record_type(
    settings: Settings, spark_engine: SparkEngine, embedded_engine: EmbeddedEngine
) -> None:
    lakes, store = two_lakes(settings), ObjectStore.of(settings)
    topics = {settings.topic(name): RECORD_TYPES[name] for name in RECORD_TYPES}
    rows: dict[str, Callable[..., Row]] = {"pin": pin, "geo": geo, "user": user}
    days: list[list[tuple[int | None, Row]]] = [
        [(key, {}) for key in range(30)],  # all new
        [(1, {"colour": "red"}), (None, {}), (40, {"more": 1})],  # a change, a rejection and a new key
        [(None, {}), (None, {})],  # all rejected
    ]
    engines: list[Engine] = [spark_engine, embedded_engine]
    first = 10
    for day in days:
        for name, row in rows.items():
            put(settings, name, [row(key, **changes) for key, changes in day], first=first)
        first += len(day)
        check_equal(engines, lakes, store, topics)
        engines.reverse()
    for name, row in rows.items():
        put(settings, name, [row(1, late=1)], first=9, partition=1)  # all late
    check_equal(engines, lakes, store, topics)
    check_equal(engines, lakes, store, topics)  # nothing new


def check_equal(engines: Sequence[Engine], lakes: Sequence[Lake], store: ObjectStore, topics: dict[str, Any]) -> None:
    """Clean both lakes, and compare all their tables and reports."""
    one, two = (
        {report.key: report_state(report) for report in clean_topics(engine, lake, store, topics)}
        for engine, lake in zip(engines, lakes, strict=True)
    )
    assert one == two
    for key in [f"{area}/{name}" for area in ("cleaned", "quarantine") for name in RECORD_TYPES]:
        states = [table_state(lake, key) for lake in lakes]
        assert (states[0] and states[0].comparable()) == (states[1] and states[1].comparable()), key


def test_engines_count_and_order_equal_batch_stats(
    settings: Settings, spark_engine: SparkEngine, embedded_engine: EmbeddedEngine
) -> None:
    names = [f"field {number}" for number in range(25)] + [
        "é",
        "\U0001f600",
        "\ue000",
        "x" * 120 + "a",
        "x" * 120 + "b",
    ]
    values: list[Any] = [pin(key, **dict.fromkeys(names[key % 7 :]), downloaded=key % 2) for key in range(20)]
    for partition in (2, 0, 1):
        put(settings, "pin", [b"no json", *values], first=5 - partition, partition=partition, size=6)
    store, topic = ObjectStore.of(settings), settings.topic("pin")
    objects = [name for name, _ in CleaningProgress().new_objects(store, topic)]
    found = []
    for engine in (spark_engine, embedded_engine):
        with engine.classify_objects(PIN, store, objects) as records:
            found.append(engine.collect_stats(records))
    one, two = found
    assert one == two
    assert (len(one.unknown), one.records, one.quarantined) == (MAX_UNKNOWN_FIELDS, 63, 3)
    # The order of the fields is part of the stored metadata.
    assert one.stored() == two.stored()
    assert list(one.unknown) == list(two.unknown)
    assert one.inconsistent
