"""API keys: the gateway is called at an address of this machine that is not loopback."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import API_KEY, JSON_V2, Messages, serving, serving_to_network

BODY = json.dumps({"records": [{"value": {"index": 1}}]}).encode()


def test_auth_refuses_remote_requests_without_credentials_except_health(
    remote_gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages]
) -> None:
    assert remote_gateway.get("/health").status_code == 200
    for path in ("/topics", "/ready", "/metrics", "/docs", "/nothing", "/dev/topics"):
        response = remote_gateway.get(path)
        assert response.status_code == 403, path
        assert response.json()["message"] == "Forbidden: send one of PIN_GATEWAY_API_KEYS as x-api-key"
    response = remote_gateway.post(f"/topics/{settings.topic('pin')}", content=BODY, headers=JSON_V2)
    assert response.status_code == 403
    assert not any(messages(settings.topic("pin")).values())


@pytest.mark.parametrize("headers", [{"Host": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=::1"}])
def test_auth_ignores_headers_that_claim_a_local_address(remote_gateway: httpx.Client, headers: dict[str, str]) -> None:
    assert remote_gateway.get("/topics", headers=headers).status_code == 403


def test_auth_admits_local_requests_without_credentials_if_no_keys_are_configured(gateway: httpx.Client) -> None:
    assert gateway.get("/topics").status_code == 200


def test_auth_requires_configured_keys_of_local_requests_too(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", API_KEY)
    with serving(app) as client:
        assert client.get("/health").status_code == 200
        for path in ("/topics", "/ready", "/metrics", "/docs"):
            assert client.get(path).status_code == 403, path
        assert client.get("/topics", headers={"x-api-key": API_KEY}).status_code == 200
        with Gateway(str(client.base_url), [API_KEY, "another"]) as gateway:
            assert gateway.send("GET", "/topics", b"").status_code == 200


def test_auth_admits_known_api_keys_only(remote_gateway: httpx.Client) -> None:
    assert remote_gateway.get("/topics", headers={"x-api-key": API_KEY}).status_code == 200
    for key in ("", "not-to-be", API_KEY + "x", "ü"):
        response = remote_gateway.get("/topics", headers={b"x-api-key": key.encode()})
        assert response.status_code == 403
        assert API_KEY not in response.text


def test_auth_without_configured_keys_refuses_the_empty_key(app: FastAPI) -> None:
    with serving_to_network(app) as client:
        assert client.get("/topics", headers={"x-api-key": ""}).status_code == 403


def test_auth_refuses_signatures_which_only_api_gateway_verifies(remote_gateway: httpx.Client) -> None:
    credential = "AKIDEXAMPLE/20260101/us-east-1/execute-api/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    assert remote_gateway.get("/topics", headers={"Authorization": authorization}).status_code == 403
