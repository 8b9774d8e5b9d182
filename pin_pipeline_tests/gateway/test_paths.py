"""Paths: the stage, one leading segment as in API Gateway, and the slash at the end."""

from __future__ import annotations

import httpx
import pytest

from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2
from pin_pipeline_tests.gateway.responses import assert_error


@pytest.mark.parametrize("stage", ["/dev", "/prod", "/v1%20beta", "/topic"])
def test_stage_prefix_precedes_every_route(gateway: httpx.Client, settings: Settings, stage: str) -> None:
    topic = settings.topic("pin")
    assert topic in gateway.get(f"{stage}/topics").json()
    assert gateway.get(f"{stage}/topics/{topic}").json()["name"] == topic
    produced = gateway.post(f"{stage}/topics/{topic}", content=b'{"records":[{"value":1}]}', headers=JSON_V2)
    assert produced.json()["offsets"][0]["error_code"] is None
    assert gateway.get(f"{stage}/health").json() == {"status": "ok"}


def test_stage_prefix_is_the_server_of_the_openapi_page(gateway: httpx.Client) -> None:
    assert gateway.get("/dev/openapi.json").json()["servers"] == [{"url": "/dev"}]
    assert "/dev/openapi.json" in gateway.get("/dev/docs").text


def test_stage_prefix_is_one_segment_before_an_existing_route(gateway: httpx.Client) -> None:
    for path in ("/dev/prod/topics", "/dev", "/dev/nothing", "/topics/topics/topics"):
        assert_error(gateway.get(path), 404, 404, path)


@pytest.mark.parametrize("stage", ["", "/dev"])
def test_slash_at_the_end_makes_no_difference(gateway: httpx.Client, settings: Settings, stage: str) -> None:
    topic = settings.topic("pin")
    assert gateway.get(f"{stage}/topics/").json() == gateway.get(f"{stage}/topics").json()
    assert gateway.get(f"{stage}/topics/{topic}/").json()["name"] == topic
    body = b'{"records":[{"value":1}]}'
    assert gateway.post(f"{stage}/topics/{topic}/", content=body, headers=JSON_V2).status_code == 200
    for path in ("/pin", "/pin/", "/pin/batch", "/pin/batch/"):
        assert gateway.post(f"{stage}{path}", content=b"{}").status_code == 422
    created = gateway.post(f"{stage}/consumers/readers/")
    assert created.status_code == 200
    assert gateway.delete(f"{created.json()['base_uri']}/").status_code == 204


def test_encoded_path_is_that_of_its_characters(gateway: httpx.Client, settings: Settings) -> None:
    name = "".join(f"%{ord(character):02x}" for character in settings.topic("pin"))
    assert gateway.get(f"/%74opics/{name}").json()["name"] == settings.topic("pin")
    assert_error(gateway.get("/topics%2Fnone"), 404, 404)
    assert_error(gateway.get("/topics/a%2Fb"), 404, 40401, "'a/b'")
