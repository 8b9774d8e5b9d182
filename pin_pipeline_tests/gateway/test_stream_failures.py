"""Stream routes while Kinesis is down or throttles."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.gateway.responses import kinesis_error
from pin_pipeline_tests.gateway.test_streams import read
from pin_pipeline_tests.gateway.throttling_kinesis import ThrottlingKinesis

pytestmark = pytest.mark.usefixtures("streams")


@pytest.fixture
def unreachable_kinesis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """An endpoint of Kinesis, set for the gateway, where nothing listens."""
    assert settings.kinesis_endpoint_url
    url = f"http://127.0.0.1:{ports.free_port()}"
    monkeypatch.setenv("PIN_KINESIS_ENDPOINT_URL", url)
    return url


@pytest.fixture
def throttling_kinesis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThrottlingKinesis]:
    assert settings.kinesis_endpoint_url
    proxy = ThrottlingKinesis(settings.kinesis_endpoint_url)
    monkeypatch.setenv("PIN_KINESIS_ENDPOINT_URL", proxy.url)
    with proxy.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield proxy
        server.shutdown()


def put_three(stream: str) -> tuple[httpx.Response, list[tuple[str, bytes]]]:
    """Put three records in one request, and return the response and the records on the stream."""
    with serving(create_app()) as gateway:
        records = [{"data": key, "partition-key": key} for key in "abc"]
        response = gateway.put(f"/streams/{stream}/records", json={"records": records})
        return response, sorted(read(gateway, stream))


def test_streams_without_kinesis_name_the_endpoint_while_topics_work(unreachable_kinesis: str) -> None:
    with serving(create_app()) as gateway:
        response = gateway.put("/streams/any/record", json={"Data": 1, "PartitionKey": "a"})
        assert kinesis_error(response) == (503, "ServiceUnavailable")
        assert f"Kinesis put_record failed at {unreachable_kinesis}" in response.json()["message"]
        assert response.headers["retry-after"] == "1"
        assert gateway.get("/topics").status_code == 200


def test_put_records_retries_only_refused_records(
    throttling_kinesis: ThrottlingKinesis, streams: dict[str, str]
) -> None:
    throttling_kinesis.remaining_refusals = {"b": 2, "c": 1}
    response, stored = put_three(streams["pin"])
    assert throttling_kinesis.requests == [["a", "b", "c"], ["b", "c"], ["b"]]
    assert response.json()["FailedRecordCount"] == 0
    assert stored == [("a", b"a"), ("b", b"b"), ("c", b"c")]


def test_put_records_reports_a_final_refusal_in_place(
    throttling_kinesis: ThrottlingKinesis, streams: dict[str, str]
) -> None:
    throttling_kinesis.remaining_refusals = {"b": 100}
    response, stored = put_three(streams["pin"])
    assert response.status_code == 200
    assert response.json()["FailedRecordCount"] == 1
    codes = [result.get("ErrorCode") for result in response.json()["Records"]]
    assert codes == [None, "ProvisionedThroughputExceededException", None]
    assert stored == [("a", b"a"), ("c", b"c")]
