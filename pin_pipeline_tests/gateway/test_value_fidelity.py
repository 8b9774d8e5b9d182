"""Keys and values arrive on the topic in the exact JSON text they were sent in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.produce_request import parse_records
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, Messages

SPACE = st.text(" \t\r\n", max_size=3)
# Every character except lone surrogates, which UTF-8 cannot encode.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "{}",
        '""',
        "[]",
        '"👩‍👩‍👧 — übergroß …\u00a0\u2028"',
        r'"\u00fc \u0000 \ud83d\ude00 \/ \n"',
        "123456789012345678901234567890",
        "-0.0",
        "1e999",
        "0.10000000000000000000000001",
        '{"b": 1, "a" :2, "b": 3}',
        '{"a": [{"b": [[[]]]}]}',
        r'"{\"encoded\": \"twice\"}"',
        '[{"index": 7528}]',
    ],
)
def test_value_and_key_keep_their_exact_json_text(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], text: str
) -> None:
    body = f'{{"records": [ {{"value" : {text} , "key":[{text}], "partition": 0}} ]}}'.encode()
    response = gateway.post(f"/topics/{settings.topic('pin')}", content=body, headers=JSON_V2)
    assert response.status_code == 200
    assert messages(settings.topic("pin"))[0] == [(f"[{text}]".encode(), text.encode())]


def test_value_on_several_lines_arrives_as_one_line(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    value = {"a": ["line\nbreak", {"b": None}], "c": "\r\n"}
    body = json.dumps({"records": [{"value": value, "partition": 0}]}, indent=2).replace("\n", "\r\n")
    assert gateway.post(f"/topics/{settings.topic('pin')}", content=body, headers=JSON_V2).status_code == 200
    [(_, stored)] = messages(settings.topic("pin"))[0]
    assert b"\n" not in stored
    assert b"\r" not in stored
    assert json.loads(stored) == value


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(VALUES, min_size=1, max_size=20))
def test_batch_arrives_complete_exact_and_in_order(
    gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], values: list[Any]
) -> None:
    texts = [json.dumps(value, ensure_ascii=False).encode() for value in values]
    records = b",".join(b'{"partition":1,"value":' + text + b"}" for text in texts)
    response = gateway.post(
        f"/topics/{settings.topic('user')}", content=b'{"records":[' + records + b"]}", headers=JSON_V2
    )
    first = response.json()["offsets"][0]["offset"]
    assert [value for _, value in messages(settings.topic("user"))[1][first:]] == texts


@given(values=st.lists(VALUES, min_size=1), ascii_only=st.booleans(), space=SPACE)
def test_produce_request_is_parsed_as_the_json_module_parses_it(
    values: list[Any], ascii_only: bool, space: str
) -> None:
    separators = (f"{space},{space}", f"{space}:{space}")
    body = json.dumps({"records": [{"value": v} for v in values]}, ensure_ascii=ascii_only, separators=separators)
    records = parse_records(f"{space}{body}{space}".encode(), EmbeddedFormat.JSON)
    texts = [record.value or b"" for record in records]
    assert [json.loads(text) for text in texts] == values
    assert not any(b"\n" in text or b"\r" in text for text in texts)
