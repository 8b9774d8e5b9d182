"""Adversarial records through every entry point: each is published unchanged, or quarantined with its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.records.fields import Magnitude, PrefixedPath, Text
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.adversarial.edge_json import INVALID_ENCODINGS, LARGE_JSON, UNSUPPORTED_JSON
from pin_pipeline_tests.adversarial.invalid_json import INVALID_JSON
from pin_pipeline_tests.adversarial.strings import STRINGS
from pin_pipeline_tests.adversarial.valid_json import VALID_JSON
from pin_pipeline_tests.batch.batch_helpers import run_clean, table
from pin_pipeline_tests.helpers.reference import SENTINELS
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce

Engine = BatchEngine[Any]
ROWS = {"pin": pin, "geo": geo, "user": user}
JSON_V2 = {"Content-Type": "application/vnd.kafka.json.v2+json"}
BLANKS = " \t\n\r\f\v\u00a0"


@pytest.fixture
def gateway(settings: Settings) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=settings.gateway_url, timeout=30) as client:
        yield client


def post(gateway: httpx.Client, topic: str, values: Sequence[str]) -> httpx.Response:
    """Post JSON texts to one partition, so that their offsets follow their order."""
    records = ",".join(f'{{"partition":0,"value":{value}}}' for value in values)
    return gateway.post(f"/topics/{topic}", content=f'{{"records":[{records}]}}'.encode(), headers=JSON_V2)


def land_and_clean(settings: Settings, engine: Engine, *record_types: str) -> None:
    """Land and clean the records on the topics, and check that they reconcile."""
    store = ObjectStore.of(settings)
    for record_type in record_types:
        land_topic(settings.kafka, store, settings.topic(record_type))
    run_clean(settings, engine, *record_types)
    for record_type in record_types:
        topic = settings.topic(record_type)
        findings = reconcile_topic(RECORD_TYPES[record_type], topic, settings.kafka, Lake.of(settings), store)
        assert list(findings.sentences()) == []
        assert findings.total("landed") > 0


def quarantined(settings: Settings, record_type: str) -> dict[int, tuple[str, bytes]]:
    rows = table(settings, f"quarantine/{record_type}", "select source_offset, reason, bytes from t")
    return {row["source_offset"]: (row["reason"], row["bytes"]) for row in rows}


def test_adversarial_cases_are_numerous_and_unique() -> None:
    texts: list[Any] = [*VALID_JSON, *INVALID_JSON, *UNSUPPORTED_JSON, *INVALID_ENCODINGS]
    assert len(texts) == len(set(texts)) >= 300
    assert len(STRINGS) == len(set(STRINGS)) >= 500


def test_valid_json_is_published_as_unknown_field_or_quarantined_with_bytes(
    settings: Settings, engine: Engine, gateway: httpx.Client
) -> None:
    nested = [f'{json.dumps(geo(number))[:-1]},"x":{text}}}' for number, text in enumerate(VALID_JSON)]
    assert post(gateway, settings.topic("geo"), [*VALID_JSON, *nested]).status_code == 200
    land_and_clean(settings, engine, "geo")
    published = table(settings, "cleaned/geo", "select ind, source_offset from t order by ind")
    assert published == [
        {"ind": number, "source_offset": len(VALID_JSON) + number} for number in range(len(VALID_JSON))
    ]
    found = quarantined(settings, "geo")
    for offset, text in enumerate(VALID_JSON):
        reason, raw = found[offset]
        assert raw == text.strip(" \t\r").replace("\r", "").encode(), "whitespace around a value belongs to the request"
        assert reason in {"not_an_object", "no_key"}
    assert len(found) == len(VALID_JSON)


def test_invalid_json_is_refused_by_gateway(settings: Settings, gateway: httpx.Client) -> None:
    accepted = [text for text in INVALID_JSON if post(gateway, settings.topic("geo"), [text]).status_code == 200]
    assert accepted == []


def test_invalid_json_on_topic_is_quarantined_with_bytes(settings: Settings, engine: Engine) -> None:
    nested = [f'{json.dumps(geo(1))[:-1]},"x":{text}}}' for text in INVALID_JSON]
    values = [*(text.encode() for text in [*INVALID_JSON, *nested, *UNSUPPORTED_JSON]), *INVALID_ENCODINGS]
    produce(settings, "geo", values)
    land_and_clean(settings, engine, "geo")
    found = quarantined(settings, "geo")
    assert [found[offset] for offset in range(len(values))] == [("not_json", value) for value in values]
    assert table(settings, "cleaned/geo") == []


def test_json_beyond_common_parser_limits_is_published(settings: Settings, engine: Engine) -> None:
    values = [f'{json.dumps(geo(number))[:-1]},"x":{text}}}'.encode() for number, text in enumerate(LARGE_JSON)]
    produce(settings, "geo", values)
    land_and_clean(settings, engine, "geo")
    assert [row["ind"] for row in table(settings, "cleaned/geo", "select ind from t order by ind")] == [
        *range(len(LARGE_JSON))
    ]


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_adversarial_text_is_published_unchanged_or_quarantined(
    settings: Settings, engine: Engine, gateway: httpx.Client, record_type: str
) -> None:
    definition, topic = RECORD_TYPES[record_type], settings.topic(record_type)
    texts = [field for field in definition.fields if isinstance(field, Text)]
    free = [field for field in texts if not isinstance(field, Magnitude | PrefixedPath)]
    strict = [field for field in texts if field not in free]
    rows = [ROWS[record_type](number) | {field.name: text for field in free} for number, text in enumerate(STRINGS)]
    for field in strict:
        rows += [ROWS[record_type](len(rows) + number, **{field.name: text}) for number, text in enumerate(STRINGS)]
    for first in range(0, len(rows), 200):
        batch = [json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(rows[first : first + 200])]
        assert post(gateway, topic, batch).status_code == 200
    land_and_clean(settings, engine, record_type)
    found = {row["ind"]: row for row in table(settings, f"cleaned/{record_type}")}
    for number, text in enumerate(STRINGS):
        for column in definition.columns:
            if len(column.fields) == 1 and definition.field(column.fields[0]) in free:
                published_as_null = not text.strip(BLANKS) or text in SENTINELS.get(column.name, ())
                assert found[number][column.name] == (None if published_as_null else text), (column.name, text)
    assert len(found) + len(quarantined(settings, record_type) if strict else {}) == len(rows)
