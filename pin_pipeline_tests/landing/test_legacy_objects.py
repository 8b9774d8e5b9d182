"""Upgrade from releases that wrote records that are not JSON under `quarantine/` instead of `encoded/`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.rebuild import rebuild
from pin_pipeline.landing import lander
from pin_pipeline.landing.topic_reader import read_records
from pin_pipeline.reconciliation.findings import TopicFindings
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage import object_format
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import pin
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.landing.landing_helpers import land_pins, objects

Engine = BatchEngine[Any]
Rows = list[tuple[int, object]]

BEFORE = [pin(1), b"broken 1", b'{\n"several": "lines"}', pin(2), None, pin(1, title="newer")]
AFTER = [b"broken 2", pin(3), json.dumps(pin(2, title="on two lines"), indent=0).encode(), b"broken 3"]


@contextmanager
def earlier_release(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Land as an earlier release did: it knew only the areas `topics` and `quarantine`."""
    with monkeypatch.context() as patch:
        patch.setattr(object_format, "ENCODED", "quarantine")
        patch.setattr(lander, "AREAS", ("topics", "quarantine"))
        yield


def clean(settings: Settings, engine: Engine) -> None:
    topics = {settings.topic("pin"): RECORD_TYPES["pin"]}
    list(clean_topics(engine, Lake.of(settings), ObjectStore.of(settings), topics))


def reconcile(settings: Settings) -> TopicFindings:
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    return reconcile_topic(RECORD_TYPES["pin"], settings.topic("pin"), settings.kafka, lake, store)


def tables(settings: Settings) -> tuple[Rows, Rows]:
    """Return offset and title of each published row, and offset and bytes of each quarantined one."""
    lake = Lake.of(settings)
    published = lake.require("cleaned/pin").query("select source_offset, title from t order by 1")
    quarantined = lake.require("quarantine/pin").query("select source_offset, bytes from t order by 1")
    return tuple(  # type: ignore[return-value]
        [tuple(row.values()) for row in table.to_pylist()] for table in (published, quarantined)
    )


def landed_records(settings: Settings) -> list[tuple[int, bytes | None]]:
    """Return offset and value of every landed record, duplicates included."""
    found = []
    for key, body in objects(settings).items():
        name = ObjectName.parse(key)
        found += list(enumerate(object_format.decode_values(name.area, body), name.offset))
    return sorted(found, key=lambda record: record[0])


def values(*records: object) -> list[bytes | None]:
    return [
        record if record is None or isinstance(record, bytes) else json.dumps(record).encode() for record in records
    ]


def test_state_of_earlier_release_is_landed_cleaned_reconciled_and_rebuilt_without_loss_or_duplicates(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with earlier_release(monkeypatch):
        produce(settings, "pin", values(*BEFORE))
        land_pins(settings)
    clean(settings, engine)
    before = objects(settings)
    assert {key.partition("/")[0] for key in before} == {"topics", "quarantine"}
    assert land_pins(settings).records == 0, "nothing lands again under the new prefix"
    produce(settings, "pin", values(*AFTER))
    landed = land_pins(settings)
    assert (landed.records, landed.encoded, landed.missing) == (4, 3, 0)
    after = objects(settings)
    assert {key.partition("/")[0] for key in after.keys() - before.keys()} == {"topics", "encoded"}
    assert {key: after[key] for key in before} == before
    assert landed_records(settings) == list(enumerate(values(*BEFORE, *AFTER)))
    clean(settings, engine)
    published, quarantined = tables(settings)
    assert [offset for offset, _ in published] == [5, 7, 8], "the record on two lines supersedes the earlier one"
    assert quarantined == [(1, b"broken 1"), (2, BEFORE[2]), (4, None), (6, b"broken 2"), (9, b"broken 3")]
    findings = reconcile(settings)
    assert list(findings.sentences()) == []
    counts = [findings.total(name) for name in ("landed", "published", "superseded", "quarantined", "waiting")]
    assert counts == [10, 3, 2, 5, 0]
    topics = {settings.topic("pin"): RECORD_TYPES["pin"]}
    list(rebuild(engine, Lake.of(settings), ObjectStore.of(settings), topics))
    assert tables(settings) == (published, quarantined)
    assert list(reconcile(settings).sentences()) == []


def test_lander_fills_gaps_of_earlier_release_in_both_areas(
    settings: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with earlier_release(monkeypatch):
        produce(settings, "pin", values(*BEFORE))
        land_pins(settings)
    produce(settings, "pin", values(*AFTER))
    land_pins(settings)
    assert land_pins(settings, fill_gaps=True).records == 0
    for area in ("topics", "quarantine"):
        key = min(key for key in objects(settings) if key.startswith(f"{area}/"))
        store.client.delete_object(Bucket=store.bucket, Key=key)
    assert land_pins(settings, fill_gaps=True).records == 3
    assert landed_records(settings) == list(enumerate(values(*BEFORE, *AFTER)))


def test_lander_continues_after_object_that_concurrent_earlier_release_wrote_first(
    settings: Settings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(settings, "pin", [b"broken 1", b"broken 2", pin(1)])

    def landed_meanwhile(*arguments: object) -> Iterator[object]:
        encoded = {"offset": 0, "timestamp": 0, "base64": base64.b64encode(b"broken 1").decode()}
        store.put_once(ObjectName("quarantine", settings.topic("pin"), 0, 0), json.dumps(encoded).encode() + b"\n")
        yield from read_records(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lander, "read_records", landed_meanwhile)
    landed = land_pins(settings)
    assert (landed.records, landed.missing) == (2, 0)
    assert landed_records(settings) == list(enumerate(values(b"broken 1", b"broken 2", pin(1))))


def test_reconciliation_finds_record_under_both_prefixes(
    settings: Settings, store: ObjectStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with earlier_release(monkeypatch):
        produce(settings, "pin", [pin(1), b"broken"])
        land_pins(settings)
    [legacy] = [ObjectName.parse(key) for key in objects(settings) if key.startswith("quarantine/")]
    store.put_once(ObjectName("encoded", legacy.topic, legacy.partition, legacy.offset), store.read(legacy))
    clean(settings, engine)
    sentences = list(reconcile(settings).sentences())
    key = ObjectName("quarantine", legacy.topic, 0, 1).key
    assert f"partition 0, offset 1 is duplicated: it is in {key} once more" in sentences
    assert all(sentence.startswith("partition 0, offset 1 is duplicated: ") for sentence in sentences)
