"""Signatures of the emulator, checked by a verifier in front of the gateway, as API Gateway checks them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.signing import Signature, SigningError, signature_for
from pin_pipeline_tests.gateway.conftest import API_KEY, JSON_V2, serving, serving_to_network
from pin_pipeline_tests.gateway.sigv4_verifier import SigV4Verifier
from pin_pipeline_tests.gateway.test_auth import BODY
from pin_pipeline_tests.gateway.test_sigv4_verifier import ACCESS_KEY_ID, SECRET

SECRETS = {ACCESS_KEY_ID: SECRET}


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def api_gateway(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A gateway that requires an API key, behind a verifier that requires a signature."""
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", API_KEY)
    with serving_to_network(SigV4Verifier(app, SECRETS, "us-east-1")) as client:
        yield client


@pytest.mark.usefixtures("_credentials")
def test_signing_is_accepted_for_the_right_region_and_credentials_only(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(SigV4Verifier(app, SECRETS, "us-east-1")) as client:
        assert client.get("/topics").status_code == 403
        assert client.get("/topics", auth=Signature("us-east-1")).status_code == 200
        response = client.post("/topics/nothing?a=b%20c", content=BODY, headers=JSON_V2, auth=Signature("us-east-1"))
        assert response.status_code == 404, response.text
        assert client.get("/topics", auth=Signature("eu-west-1")).status_code == 403
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        assert client.get("/topics", auth=Signature("us-east-1")).status_code == 403


@pytest.mark.usefixtures("_credentials")
def test_signed_request_needs_the_api_key_as_well(api_gateway: httpx.Client) -> None:
    signature, key = Signature("us-east-1"), {"x-api-key": API_KEY}
    assert api_gateway.get("/topics", auth=signature).status_code == 403
    assert api_gateway.get("/topics", headers=key).status_code == 403
    assert api_gateway.get("/topics", headers=key, auth=signature).status_code == 200


def test_signing_applies_to_api_gateway_only() -> None:
    assert signature_for("http://127.0.0.1:8082") is None
    signature = signature_for("https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod")
    assert signature == Signature("eu-west-1")


def test_signing_without_credentials_explains_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda _: None)
    to_aws = Gateway("https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod")
    with to_aws as gateway, pytest.raises(SigningError, match="attach a role, or sign in"):
        gateway.send("GET", "/topics", b"")
