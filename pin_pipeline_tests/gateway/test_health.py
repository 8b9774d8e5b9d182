"""Health, readiness and metrics."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, post, serving


def samples(own_gateway: httpx.Client, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by its label values, in the order of the label names."""
    families = text_string_to_metric_families(own_gateway.get("/metrics").text)
    found = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in found}


def test_ready_reports_all_parts_that_respond(own_gateway: httpx.Client) -> None:
    response = own_gateway.get("/ready")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ready", "parts": {"kafka": "ready", "kinesis": "ready"}},
    )


@pytest.mark.parametrize(
    ("variable", "address", "part"),
    [("PIN_KAFKA_BOOTSTRAP", "127.0.0.1:{}", "kafka"), ("PIN_KINESIS_ENDPOINT_URL", "http://127.0.0.1:{}", "kinesis")],
)
def test_ready_reports_the_part_that_is_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, address: str, part: str
) -> None:
    monkeypatch.setenv("PIN_PREFIX", settings.prefix)
    unreachable = address.format(ports.free_port())
    monkeypatch.setenv(variable, unreachable)
    with serving(create_app()) as gateway:
        response = gateway.get("/ready")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.json()["parts"] == {"kafka": "ready", "kinesis": "ready"} | {part: "down"}
        assert unreachable in response.json()["message"]
        assert gateway.get("/health").json() == {"status": "ok"}


def test_metrics_count_requests_by_route_and_records_by_outcome(
    own_gateway: httpx.Client, settings: Settings, streams: dict[str, str]
) -> None:
    topic = settings.topic("pin")
    post(own_gateway, topic, {"value": 1}, {"value": "x" * 2**20})
    own_gateway.post(f"/dev/topics/{topic}", json={"records": [{"value": 1}]}, headers=JSON_V2)
    own_gateway.put(f"/streams/{streams['pin']}/record", json={"Data": 1, "PartitionKey": "a"})
    own_gateway.get("/topics/unknown")
    own_gateway.get("/unknown/path")

    requests = samples(own_gateway, "gateway_request_seconds_count")
    assert requests["POST", "/topics/{topic}", "200"] == 2
    assert requests["PUT", "/streams/{stream}/record", "200"] == 1
    assert requests["GET", "/topics/{topic}", "404"] == 1
    assert requests["GET", "none", "404"] == 1
    assert samples(own_gateway, "gateway_records_total") == {
        ("acknowledged", topic): 2,
        ("refused", topic): 1,
        ("acknowledged", streams["pin"]): 1,
        ("refused", streams["pin"]): 0,
    }
    assert samples(own_gateway, "gateway_in_flight_bytes") == {(): 0}
    assert samples(own_gateway, "gateway_consumers") == {(): 0}
