"""Reconciliation holds for any records, order, batching, duplicates and crashes, and fails without the safeguards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions

from pin_pipeline.batch.engines import embedded_records
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.reconciliation.findings import TopicFindings
from pin_pipeline.reconciliation.objects import ObjectReader
from pin_pipeline.reconciliation.tables import TopicTables
from pin_pipeline.reconciliation.topic import reconcile_topic_records
from pin_pipeline.records import GEO
from pin_pipeline.settings import Settings
from pin_pipeline.storage import object_format
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.batch.batch_helpers import Row, put, run_clean, table, totals, with_new_bucket
from pin_pipeline_tests.batch.crash import crash_at
from pin_pipeline_tests.helpers.rows import geo

Engine = BatchEngine[Any]
STEPS = ["collect_stats", "add_to_quarantine", "publish"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = st.integers(0, 5)
valid = st.builds(
    geo, keys, country=st.text(max_size=20), latitude=st.floats(-90, 90), longitude=st.integers(-180, 180)
)
modified = st.builds(lambda row, name, value: row | {name: value}, valid, st.sampled_from(sorted(geo())), json_values)
as_bytes = (valid | modified | json_values).map(lambda value: json.dumps(value).encode())
truncated = st.builds(lambda raw, at: raw[:at], as_bytes, st.integers(0, 80))
corrupted = st.builds(lambda raw, at: raw[:at] + b"\xff" + raw[at + 1 :], as_bytes, st.integers(0, 80))
multiline = valid.map(lambda row: json.dumps(row, indent=1).encode())
raw_records = st.lists(
    as_bytes | truncated | corrupted | multiline | st.binary(max_size=20) | st.none(), min_size=1, max_size=40
)


@dataclass(frozen=True)
class Run:
    """One run of the cleaning.

    Attributes:
        records: number of records landed in each partition before the run.
        size: maximum number of records per object.
        crash: index of the step that crashes, and whether it crashes after the step; None for no crash.
    """

    records: tuple[int, int]
    size: int
    crash: tuple[int, bool] | None


runs = st.builds(
    Run,
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.integers(1, 20),
    st.none() | st.tuples(st.integers(0, len(STEPS) - 1), st.booleans()),
)


@dataclass
class Topic:
    """Two partitions of records, with the interface of the broker reader."""

    values: dict[int, list[bytes | None]]

    def partitions(self) -> list[int]:
        return sorted(self.values)

    def begin(self, partition: int) -> int:
        del partition
        return 0

    def messages(self, partition: int, first: int) -> Iterator[tuple[int, bytes | None]]:
        return iter(list(enumerate(self.values[partition]))[first:])


def land_and_clean(settings: Settings, engine: Engine, topic: Topic, runs: Sequence[Run]) -> None:
    """Land and clean the records in several runs, and the remaining ones in a last run that does not crash."""
    landed = [0, 0]
    for run in [*runs, Run((len(topic.values[0]), len(topic.values[1])), 20, None)]:
        for partition in (0, 1):
            first = landed[partition]
            values = topic.values[partition][first : first + run.records[partition]]
            put(settings, "geo", values, first=first, partition=partition, size=run.size)
            landed[partition] += len(values)
        with crash_of(engine, run):
            run_clean(settings, engine, "geo")


def crash_of(engine: Engine, run: Run) -> AbstractContextManager[None]:
    """Crash the run at its step, if it reaches it."""
    if run.crash is None:
        return nullcontext()
    step, done = run.crash
    return crash_at(engine, STEPS[step], done=done, certain=False)


def reconcile(settings: Settings, topic: Topic) -> TopicFindings:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    tables = TopicTables.read(GEO, lake.snapshot("cleaned/geo"), lake.snapshot("quarantine/geo"), 0)
    broker: Any = topic
    return reconcile_topic_records(
        GEO, broker, ObjectReader(store.client, store.bucket, settings.topic("geo")), tables, {}
    )


def content(settings: Settings) -> tuple[list[Row], list[Row]]:
    quarantined = "select source_partition, source_offset, reason, field, value, bytes from t order by 1, 2"
    exists = Lake.of(settings).snapshot("quarantine/geo") is not None
    return (
        table(settings, "cleaned/geo", "select * from t order by ind"),
        table(settings, "quarantine/geo", quarantined) if exists else [],
    )


@hypothesis_settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    records=raw_records,
    duplicates=st.lists(st.integers(0, 39), max_size=10),
    sequence=st.lists(runs, min_size=1, max_size=3),
)
def test_any_sequence_of_runs_and_crashes_gives_same_tables_and_reconciles(
    settings: Settings,
    engine: Engine,
    embedded_engine: EmbeddedEngine,
    records: list[bytes | None],
    duplicates: list[int],
    sequence: list[Run],
) -> None:
    values = [*records, *(records[number % len(records)] for number in duplicates)]
    topic = Topic({0: values[::2], 1: values[1::2]})
    crashing, reference = with_new_bucket(settings), with_new_bucket(settings)
    land_and_clean(crashing, engine, topic, sequence)
    land_and_clean(reference, embedded_engine, topic, [])
    findings = reconcile(crashing, topic)
    assert list(findings.sentences()) == []
    assert findings.total("landed") == len(values)
    assert findings.total("waiting") == 0
    assert content(crashing) == content(reference)
    assert totals(run_clean(crashing, engine, "geo")["cleaned/geo"])[-1] == 0


def without_gaps(records: Any, *_: Any) -> Iterator[object_format.ObjectChunk]:
    """Chunk records without closing an object at a value that is not JSON, which leaves it out."""
    lines = [record for record in records if object_format.is_json(record.value)]
    yield object_format.ObjectChunk("topics", 0, tuple(record.value for record in lines))


@pytest.mark.parametrize("safeguard", [None, "quarantine", "gaps", "latest"])
def test_reconciliation_fails_only_with_a_safeguard_disabled(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch, safeguard: str | None
) -> None:
    raw = [json.dumps(row).encode() for row in (geo(1), geo(2), geo(1, country="newer"), geo(3))]
    topic = Topic({0: [raw[0], b"no json", *raw[1:]], 1: []})
    disable(monkeypatch, safeguard)
    land_and_clean(settings, engine, topic, [])
    assert bool(list(reconcile(settings, topic).sentences())) is (safeguard is not None)


def disable(monkeypatch: pytest.MonkeyPatch, safeguard: str | None) -> None:
    match safeguard:
        case "quarantine":
            for engine in (EmbeddedEngine, SparkEngine):
                monkeypatch.setattr(engine, "add_to_quarantine", lambda *_: None)
        case "gaps":
            monkeypatch.setattr("pin_pipeline_tests.batch.batch_helpers.chunk_records", without_gaps)
        case "latest":
            monkeypatch.setattr(functions, "max", functions.min)
            places = embedded_records._places
            monkeypatch.setattr(embedded_records, "_places", lambda accepted: pc.negate(places(accepted)))
