"""Gateway client with Kafka REST v2, against a real HTTP server that returns scripted responses."""

from __future__ import annotations

import socket
from datetime import datetime
from types import SimpleNamespace

import pytest

from pin_pipeline.emulator import gateway_client
from pin_pipeline.emulator.files import SourceRow
from pin_pipeline.emulator.gateway_client import Gateway, GatewayError
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline_tests.emulator.gateway_double import GatewayDouble, ScriptedResponse, acknowledge

BUSY = ScriptedResponse(429, b'{"error_code":42901,"message":"busy"}', {"Retry-After": "0"})
UNAVAILABLE = ScriptedResponse(503, b'{"error_code":50302,"message":"no broker"}', {"Retry-After": "0"})


def post(gateway: GatewayDouble, *values: SourceRow) -> list[str | None]:
    with Gateway(gateway.url) as client:
        return TopicSink(client, {"pin": "pinterest.pin"}).send("pin", values)


def test_gateway_client_sends_values_in_order_as_kafka_json(gateway: GatewayDouble) -> None:
    timestamp = datetime.fromisoformat("2018-03-01 12:30:05")
    assert post(gateway, {"index": 2, "title": "é\0👩🏽‍🎨"}, {"index": 1, "at": timestamp}) == [None, None]
    records = [{"value": {"index": 2, "title": "é\0👩🏽‍🎨"}}, {"value": {"index": 1, "at": "2018-03-01 12:30:05"}}]
    assert gateway.requests == [("/topics/pinterest.pin", records)]


def test_gateway_client_reports_each_refused_record(gateway: GatewayDouble) -> None:
    gateway.script = [acknowledge(3, refused=(1,))]
    assert post(gateway, {"n": 0}, {"n": 1}, {"n": 2}) == [None, "too large (error code 50002)", None]


@pytest.mark.parametrize("deferral", [BUSY, UNAVAILABLE])
def test_gateway_client_retries_deferred_requests(gateway: GatewayDouble, deferral: ScriptedResponse) -> None:
    gateway.script = [deferral, deferral]
    assert post(gateway, {"n": 0}) == [None]
    assert [records for _, records in gateway.requests] == [[{"value": {"n": 0}}]] * 3


def test_gateway_client_gives_up_after_last_attempt(gateway: GatewayDouble) -> None:
    gateway.script = [UNAVAILABLE] * 20
    with pytest.raises(
        GatewayError, match=r"POST http.*/topics/pinterest\.pin failed 6 times: 503 .*no broker.*; start the gateway"
    ):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == gateway_client.ATTEMPTS


def test_gateway_client_honours_retry_after_within_bounds(
    gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(gateway_client, "time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(gateway_client, "FIRST_WAIT_SECONDS", 0.25)
    retry_after = ["2", "0", "Wed, 21 Oct 2026 07:28:00 GMT", "3600", "0"]
    gateway.script = [ScriptedResponse(503, b"", {"Retry-After": seconds}) for seconds in retry_after]
    assert post(gateway, {"n": 0}) == [None]
    assert waits == [2, 4, 8, 10, 10]


def test_gateway_client_does_not_retry_503_without_retry_after(
    gateway: GatewayDouble,
) -> None:
    gateway.script = [ScriptedResponse(503, b"half of it")]
    with pytest.raises(GatewayError, match="503 half of it"):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


def test_gateway_client_raises_error_response_with_message(gateway: GatewayDouble) -> None:
    gateway.script = [ScriptedResponse(404, b'{"error_code":40401,"message":"topic not found"}')]
    with pytest.raises(
        GatewayError,
        match=r"/topics/pinterest\.pin failed: 404 .*40401.*topic not found.*; check `pin-pipeline status`",
    ):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"offsets":[1]}', b'{"offsets":[{"offset":1}]}'])
def test_gateway_client_rejects_response_of_unexpected_shape(gateway: GatewayDouble, body: bytes) -> None:
    gateway.script = [ScriptedResponse(200, body)]
    with pytest.raises(GatewayError, match=r"invalid response to POST .*: expected a result for each record, got 200"):
        post(gateway, {"n": 0})


def test_gateway_client_rejects_response_with_missing_records(gateway: GatewayDouble) -> None:
    gateway.script = [acknowledge(1)]
    with pytest.raises(GatewayError, match=r"invalid response to POST .*: expected 2 results, got 1"):
        post(gateway, {"n": 0}, {"n": 1})


def test_gateway_client_does_not_retry_lost_connection(gateway: GatewayDouble) -> None:
    gateway.script = [ScriptedResponse(hang_up=True)]
    with pytest.raises(
        GatewayError, match=r"/topics/pinterest\.pin failed: .*; its records may or may not have been written"
    ):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


def test_gateway_client_without_gateway_explains_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_client, "FIRST_WAIT_SECONDS", 0.001)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            Gateway(url) as client,
            pytest.raises(
                GatewayError, match=rf"POST {url}/topics/t failed 6 times: connection failed: .*`pin-pipeline up`"
            ),
        ):
            client.send("POST", "/topics/t", b"")


def test_gateway_client_names_invalid_url() -> None:
    with (
        Gateway("localhost:8082") as client,
        pytest.raises(GatewayError, match="POST localhost:8082/topics/t failed: "),
    ):
        client.send("POST", "/topics/t", b"")
