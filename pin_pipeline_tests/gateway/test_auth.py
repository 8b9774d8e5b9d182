"""Who is let in from elsewhere: the gateway is asked at another address of this machine than its own."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fastapi import FastAPI

from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, Messages, serving

BODY = json.dumps({"records": [{"value": {"index": 1}}]}).encode()
KEY, SECRET = "not-to-be-guessed", "not-to-be-seen"


@pytest.fixture
def elsewhere(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The gateway, with callers that it knows, as others on the network see it."""
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", f"another, {KEY}")
    monkeypatch.setenv("PIN_GATEWAY_SIGNERS", f"AKIDEXAMPLE:{SECRET}")
    with seen_from_elsewhere(app) as client:
        yield client


@contextmanager
def seen_from_elsewhere(app: FastAPI) -> Iterator[httpx.Client]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only finds the address that would be sent from
        except OSError:
            pytest.skip("this machine has no address but its own")
        host = probe.getsockname()[0]
    with serving(app, host=host) as client:
        yield client


def signed(client: httpx.Client, path: str, body: bytes = BODY, *, secret: str = SECRET) -> dict[str, str]:
    """The headers of a POST, signed as AWS's own clients sign it."""
    request = AWSRequest("POST", f"{str(client.base_url).rstrip('/')}{path}", dict(JSON_V2), body)
    SigV4Auth(Credentials("AKIDEXAMPLE", secret), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_from_elsewhere_nobody_is_let_in_without_credentials_but_to_see_that_it_lives(
    elsewhere: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    assert elsewhere.get("/health").status_code == 200
    for path in ("/topics", "/ready", "/metrics", "/docs", "/nothing", "/dev/topics"):
        reply = elsewhere.get(path)
        assert reply.status_code == 403, path
        assert "PIN_GATEWAY_API_KEYS" in reply.json()["message"]
    reply = elsewhere.post(f"/topics/{settings.topic('pin')}", content=BODY, headers=JSON_V2)
    assert reply.status_code == 403
    assert not any(messages(settings.topic("pin")).values())


@pytest.mark.parametrize("headers", [{"Host": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=::1"}])
def test_nobody_is_believed_to_be_this_machine(elsewhere: httpx.Client, headers: dict[str, str]) -> None:
    assert elsewhere.get("/topics", headers=headers).status_code == 403


def test_this_machine_needs_no_credentials(gateway: httpx.Client) -> None:
    assert gateway.get("/topics").status_code == 200


def test_a_key_that_is_known_opens_and_another_does_not(elsewhere: httpx.Client) -> None:
    assert elsewhere.get("/topics", headers={"x-api-key": KEY}).status_code == 200
    for key in ("", "not-to-be", KEY + "x", "ü"):
        reply = elsewhere.get("/topics", headers={b"x-api-key": key.encode()})
        assert reply.status_code == 403
        assert KEY not in reply.text


def test_without_any_callers_even_the_empty_key_is_refused(app: FastAPI) -> None:
    with seen_from_elsewhere(app) as client:
        assert client.get("/topics", headers={"x-api-key": ""}).status_code == 403


@pytest.mark.parametrize("stage", ["", "/dev", "/a%20stage"])
def test_a_request_that_awss_own_client_signed_is_let_in(
    elsewhere: httpx.Client, settings: Settings, messages: Callable[[str], Messages], stage: str
) -> None:
    path = f"{stage}/topics/{settings.topic('pin')}"
    reply = elsewhere.post(path, content=BODY, headers=signed(elsewhere, path))
    assert reply.status_code == 200, reply.text
    assert sum(len(found) for found in messages(settings.topic("pin")).values()) == 1


def test_a_signature_of_something_else_is_refused(elsewhere: httpx.Client, settings: Settings) -> None:
    path = f"/topics/{settings.topic('pin')}"
    right = signed(elsewhere, path)
    long_ago = (datetime.now(UTC) - timedelta(minutes=6)).strftime("%Y%m%dT%H%M%SZ")
    wrong = [
        signed(elsewhere, path, secret=SECRET[:-1]),
        signed(elsewhere, f"{path}x"),
        signed(elsewhere, path, BODY + b" "),
        right | {"X-Amz-Date": long_ago},
        right | {"X-Amz-Date": "today"},
        right | {"Authorization": right["Authorization"][:-1]},
        right | {"Authorization": "Basic bWU6bWU="},
        right | {"Authorization": right["Authorization"].replace("AKIDEXAMPLE", "AKIDANOTHER")},
        right | {"Authorization": right["Authorization"].replace("us-east-1", "eu-west-1")},
        right | {"Authorization": right["Authorization"].replace(";x-amz-date", "")},
        right | {"Authorization": right["Authorization"].replace("host;", "")},
        right
        | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        | {"Authorization": right["Authorization"].replace("host;", "host;x-amz-content-sha256;")},
    ]
    for headers in wrong:
        reply = elsewhere.post(path, content=BODY, headers=headers)
        assert reply.status_code == 403, headers
        assert SECRET not in reply.text
    assert elsewhere.post(path, content=BODY, headers=right).status_code == 200
