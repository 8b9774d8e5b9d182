"""Any one leading path segment is a stage, as API Gateway has it."""

from __future__ import annotations

import httpx
import pytest

from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2
from pin_pipeline_tests.gateway.test_kafka_rest import assert_error


@pytest.mark.parametrize("stage", ["/dev", "/prod", "/v1%20beta", "/topic"])
def test_every_route_is_there_below_a_stage_as_well(gateway: httpx.Client, settings: Settings, stage: str) -> None:
    topic = settings.topic("pin")
    assert topic in gateway.get(f"{stage}/topics").json()
    assert gateway.get(f"{stage}/topics/{topic}").json()["name"] == topic
    produced = gateway.post(f"{stage}/topics/{topic}", content=b'{"records":[{"value":1}]}', headers=JSON_V2)
    assert produced.json()["offsets"][0]["error_code"] is None
    assert gateway.get(f"{stage}/health").json() == {"status": "ok"}


def test_the_page_of_routes_below_a_stage_calls_that_stage(gateway: httpx.Client) -> None:
    assert gateway.get("/dev/openapi.json").json()["servers"] == [{"url": "/dev"}]
    assert "/dev/openapi.json" in gateway.get("/dev/docs").text


def test_there_is_one_stage_at_most_and_none_without_a_route(gateway: httpx.Client) -> None:
    for path in ("/dev/prod/topics", "/dev", "/dev/nothing", "/topics/topics/topics"):
        assert_error(gateway.get(path), 404, 404, path)
