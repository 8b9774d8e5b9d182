"""The verifier with which the tests check signatures accepts what AWS's own client signs, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fastapi import FastAPI

from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, Messages, serving
from pin_pipeline_tests.gateway.sigv4_verifier import SigV4Verifier
from pin_pipeline_tests.gateway.test_auth import BODY

ACCESS_KEY_ID, SECRET = "AKIDEXAMPLE", "not-to-be-seen"


@pytest.fixture
def verified_gateway(app: FastAPI) -> Iterator[httpx.Client]:
    """A gateway behind the verifier."""
    with serving(SigV4Verifier(app, {ACCESS_KEY_ID: SECRET}, "us-east-1")) as client:
        yield client


def signed_headers(client: httpx.Client, path: str, body: bytes = BODY, *, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a POST that botocore signed."""
    request = AWSRequest("POST", f"{str(client.base_url).rstrip('/')}{path}", dict(JSON_V2), body)
    SigV4Auth(Credentials(ACCESS_KEY_ID, secret), "execute-api", "us-east-1").add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize("stage", ["", "/dev", "/a%20stage"])
def test_sigv4_verifier_accepts_requests_signed_by_botocore(
    verified_gateway: httpx.Client, settings: Settings, messages: Callable[[str], Messages], stage: str
) -> None:
    path = f"{stage}/topics/{settings.topic('pin')}"
    response = verified_gateway.post(path, content=BODY, headers=signed_headers(verified_gateway, path))
    assert response.status_code == 200, response.text
    assert sum(len(found) for found in messages(settings.topic("pin")).values()) == 1


def test_sigv4_verifier_refuses_signatures_of_other_requests(
    verified_gateway: httpx.Client, settings: Settings
) -> None:
    path = f"/topics/{settings.topic('pin')}"
    valid = signed_headers(verified_gateway, path)
    expired = (datetime.now(UTC) - timedelta(minutes=6)).strftime("%Y%m%dT%H%M%SZ")
    authorization = valid["Authorization"]
    invalid = [
        signed_headers(verified_gateway, path, secret=SECRET[:-1]),
        signed_headers(verified_gateway, f"{path}x"),
        signed_headers(verified_gateway, path, BODY + b" "),
        valid | {"X-Amz-Date": expired},
        valid | {"X-Amz-Date": "today"},
        valid | {"Authorization": authorization[:-1]},
        valid | {"Authorization": "Basic bWU6bWU="},
        valid | {"Authorization": authorization.replace(ACCESS_KEY_ID, "AKIDANOTHER")},
        valid | {"Authorization": authorization.replace("us-east-1", "eu-west-1")},
        valid | {"Authorization": authorization.replace(";x-amz-date", "")},
        valid | {"Authorization": authorization.replace("host;", "")},
        valid
        | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        | {"Authorization": authorization.replace("host;", "host;x-amz-content-sha256;")},
    ]
    for headers in invalid:
        response = verified_gateway.post(path, content=BODY, headers=headers)
        assert response.status_code == 403, headers
        assert SECRET not in response.text
    assert verified_gateway.post(path, content=BODY, headers=valid).status_code == 200
