"""The emulator's signature, judged by the gateway, which checks it as AWS does."""

from __future__ import annotations

import httpx
import pytest

from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.signing import Signature, SigningError, signature_for
from pin_pipeline_tests.gateway.conftest import JSON_V2
from pin_pipeline_tests.gateway.test_auth import BODY, KEY, SECRET, elsewhere

__all__ = ["elsewhere"]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.mark.usefixtures("credentials")
def test_what_the_emulator_signs_is_let_in_and_what_another_signs_is_not(
    elsewhere: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert elsewhere.get("/topics").status_code == 403
    assert elsewhere.get("/topics", auth=Signature("us-east-1")).status_code == 200
    reply = elsewhere.post("/topics/nothing?a=b%20c", content=BODY, headers=JSON_V2, auth=Signature("us-east-1"))
    assert reply.status_code == 404, reply.text
    assert elsewhere.get("/topics", auth=Signature("eu-west-1")).status_code == 403
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert elsewhere.get("/topics", auth=Signature("us-east-1")).status_code == 403
    assert elsewhere.get("/topics", auth=Signature("us-east-1", KEY)).status_code == 200


def test_only_requests_to_api_gateway_are_signed_and_their_key_is_shown_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", f"{KEY}, another")
    assert signature_for("http://127.0.0.1:8082") is None
    found = signature_for("https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod")
    assert found == Signature("eu-west-1", KEY)
    assert KEY not in repr(found)


def test_without_credentials_the_caller_hears_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda _: None)
    to_aws = Gateway("https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod")
    with to_aws as gateway, pytest.raises(SigningError, match="attach a role, or sign in"):
        gateway.send("GET", "/topics", b"")
