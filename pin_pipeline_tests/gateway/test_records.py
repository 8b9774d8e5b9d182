"""Routes for plain records, which are validated before they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import Messages
from pin_pipeline_tests.helpers.rows import geo, pin, user

ROWS = {"pin": pin, "geo": geo, "user": user}


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_accepted_record_is_on_its_topic(
    own_gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], record_type: str
) -> None:
    response = own_gateway.post(f"/{record_type}/", content=json.dumps(ROWS[record_type](7), indent=1))
    assert response.status_code == 200, response.text
    posted = response.json()
    assert posted["topic"] == settings.topic(record_type)
    [(key, value)] = messages(posted["topic"])[posted["partition"]]
    assert key is None
    assert b"\n" not in value
    assert json.loads(value) == ROWS[record_type](7)


def test_record_without_the_optional_fields_of_the_original_model_is_accepted(own_gateway: httpx.Client) -> None:
    old = {name: value for name, value in pin().items() if name not in {"poster_name", "description"}}
    assert own_gateway.post("/pin/", json=old).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "pin record rejected: not_json"),
        (b"[]", "not_an_object"),
        (json.dumps(user()).encode(), "no_key (field 'index'): it is missing; expected whole number from 0 to"),
        (
            json.dumps(pin(follower_count="many")).encode(),
            "invalid_value (field 'follower_count'): it is \"many\"; expected text such as `997`, `1.2k`",
        ),
        (json.dumps(pin(index="1")).encode(), "wrong_type (field 'index'): it is \"1\"; expected whole number"),
    ],
)
def test_rejected_record_gets_its_reason_and_reaches_no_topic(
    own_gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], body: bytes, words: str
) -> None:
    response = own_gateway.post("/pin/", content=body)
    assert (response.status_code, response.json()["error_code"]) == (422, 422)
    assert words in response.json()["message"]
    assert not any(messages(settings.topic("pin")).values())


def test_openapi_describes_the_fields_of_each_record_type(own_gateway: httpx.Client) -> None:
    paths: dict[str, Any] = own_gateway.get("/openapi.json").json()["paths"]
    for record_type in RECORD_TYPES.values():
        body = paths[f"/{record_type.name}/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert list(body["properties"]) == [field.name for field in record_type.fields]
        assert body["required"] == [field.name for field in record_type.fields if field.required]
