"""The gateway while its broker is down, and after it comes back."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import ports
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import JSON_V2, serving

BODY = {"records": [{"value": {"index": 1}}]}


def forward(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@contextmanager
def broker_at(port: int, bootstrap: str) -> Iterator[None]:
    """Forward another port to the real broker."""
    host, _, broker_port = bootstrap.rpartition(":")

    class Forwarder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(broker_port))) as broker:
                threading.Thread(target=forward, args=(self.request, broker), daemon=True).start()
                forward(broker, self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Forwarder) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture
def port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port where nothing listens yet, set as the address of the broker."""
    assert settings.kafka.bootstrap
    port = ports.free_port()
    monkeypatch.setenv("PIN_KAFKA_BOOTSTRAP", f"127.0.0.1:{port}")
    return port


@pytest.mark.parametrize(("method", "path"), [("POST", "/topics/t.pin"), ("GET", "/topics"), ("GET", "/ready")])
def test_outage_is_reported_soon_with_the_broker_and_the_next_step(port: int, method: str, path: str) -> None:
    with serving(create_app()) as gateway:
        start = time.monotonic()
        response = gateway.request(method, path, json=BODY, headers=JSON_V2)
        assert time.monotonic() - start < 6
        assert response.status_code == 503
        assert response.json()["error_code"] == 50302
        assert f"127.0.0.1:{port}" in response.json()["message"]
        assert "send the request again" in response.json()["message"]
        assert int(response.headers["retry-after"]) > 0
        assert gateway.get("/health").json() == {"status": "ok"}


def test_outage_does_not_block_other_requests(port: int) -> None:
    with serving(create_app()) as gateway:
        responses: list[httpx.Response] = []
        producing = threading.Thread(
            target=lambda: responses.append(gateway.post(f"/topics/{port}.pin", json=BODY, headers=JSON_V2))
        )
        producing.start()
        start = time.monotonic()
        assert gateway.get("/health").status_code == 200
        assert time.monotonic() - start < 1
        producing.join()
        assert responses[0].status_code == 503


def test_gateway_recovers_when_the_broker_starts(port: int, settings: Settings) -> None:
    with serving(create_app()) as gateway:
        assert gateway.get("/ready").status_code == 503
        with broker_at(port, settings.kafka.bootstrap):
            assert gateway.get("/ready").status_code == 200
            response = gateway.post(f"/topics/{settings.topic('pin')}", json=BODY, headers=JSON_V2)
            assert response.json()["offsets"][0]["error_code"] is None
