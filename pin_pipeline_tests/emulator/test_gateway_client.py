"""Posting through Kafka REST v2, against a real HTTP server that plays scripted answers."""

from __future__ import annotations

import socket
from datetime import datetime
from types import SimpleNamespace

import pytest

from pin_pipeline.emulator import gateway_client
from pin_pipeline.emulator.files import Row
from pin_pipeline.emulator.gateway_client import Gateway, GatewayError
from pin_pipeline.emulator.sinks import Topics
from pin_pipeline_tests.emulator.gateway_double import Answer, GatewayDouble, acknowledge

BUSY = Answer(429, b'{"error_code":42901,"message":"busy"}', {"Retry-After": "0"})
UNAVAILABLE = Answer(503, b'{"error_code":50302,"message":"no broker"}', {"Retry-After": "0"})


def post(gateway: GatewayDouble, *values: Row) -> list[str | None]:
    with Gateway(gateway.url) as client:
        return Topics(client, {"pin": "pinterest.pin"}).send("pin", values)


def test_values_arrive_in_order_as_the_contract_says(gateway: GatewayDouble) -> None:
    moment = datetime.fromisoformat("2018-03-01 12:30:05")
    assert post(gateway, {"index": 2, "title": "é\0👩🏽‍🎨"}, {"index": 1, "at": moment}) == [None, None]
    records = [{"value": {"index": 2, "title": "é\0👩🏽‍🎨"}}, {"value": {"index": 1, "at": "2018-03-01 12:30:05"}}]
    assert gateway.requests == [("/topics/pinterest.pin", records)]


def test_records_refused_one_by_one_are_told_apart(gateway: GatewayDouble) -> None:
    gateway.script = [acknowledge(3, refused=(1,))]
    assert post(gateway, {"n": 0}, {"n": 1}, {"n": 2}) == [None, "too large (error code 50002)", None]


@pytest.mark.parametrize("answer", [BUSY, UNAVAILABLE])
def test_what_the_gateway_puts_off_is_posted_again(gateway: GatewayDouble, answer: Answer) -> None:
    gateway.script = [answer, answer]
    assert post(gateway, {"n": 0}) == [None]
    assert [records for _, records in gateway.requests] == [[{"value": {"n": 0}}]] * 3


def test_a_gateway_that_puts_off_forever_is_given_up(gateway: GatewayDouble) -> None:
    gateway.script = [UNAVAILABLE] * 20
    with pytest.raises(GatewayError, match=r"POST http.*/topics/pinterest.pin: 503 .*no broker.*, 6 times"):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == gateway_client.ATTEMPTS


def test_the_wait_is_what_the_gateway_asks_for_within_bounds(
    gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(gateway_client, "time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr(gateway_client, "FIRST_WAIT_SECONDS", 0.25)
    asked = ["2", "0", "Wed, 21 Oct 2026 07:28:00 GMT", "3600", "0"]
    gateway.script = [Answer(503, b"", {"Retry-After": seconds}) for seconds in asked]
    assert post(gateway, {"n": 0}) == [None]
    assert waits == [2, 4, 8, 10, 10]


def test_a_503_that_does_not_say_retry_after_may_have_been_written_and_is_not_posted_again(
    gateway: GatewayDouble,
) -> None:
    gateway.script = [Answer(503, b"half of it")]
    with pytest.raises(GatewayError, match="503 half of it"):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


def test_an_error_answer_is_raised_with_its_message(gateway: GatewayDouble) -> None:
    gateway.script = [Answer(404, b'{"error_code":40401,"message":"topic not found"}')]
    with pytest.raises(
        GatewayError, match=r"/topics/pinterest\.pin: 404 .*40401.*topic not found.*pin-pipeline status"
    ):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"offsets":[1]}', b'{"offsets":[{"offset":1}]}'])
def test_a_reply_of_another_shape_is_raised(gateway: GatewayDouble, body: bytes) -> None:
    gateway.script = [Answer(200, body)]
    with pytest.raises(GatewayError, match="expected a reply that accounts for records, found 200"):
        post(gateway, {"n": 0})


def test_a_reply_that_does_not_account_for_every_record_is_raised(gateway: GatewayDouble) -> None:
    gateway.script = [acknowledge(1)]
    with pytest.raises(GatewayError, match="2 records sent, but the reply accounts for 1"):
        post(gateway, {"n": 0}, {"n": 1})


def test_a_connection_lost_in_mid_request_is_not_posted_again(gateway: GatewayDouble) -> None:
    gateway.script = [Answer(hang_up=True)]
    with pytest.raises(GatewayError, match="may or may not have been written"):
        post(gateway, {"n": 0})
    assert len(gateway.requests) == 1


def test_no_gateway_at_all_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_client, "FIRST_WAIT_SECONDS", 0.001)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            Gateway(url) as client,
            pytest.raises(GatewayError, match=rf"POST {url}/topics/t: no connection .*6 times; .*`pin-pipeline up`"),
        ):
            client.send("POST", "/topics/t", b"")


def test_a_url_that_is_none_is_named() -> None:
    with Gateway("localhost:8082") as client, pytest.raises(GatewayError, match="POST localhost:8082/topics/t"):
        client.send("POST", "/topics/t", b"")
