"""Test double of the gateway: an HTTP server that returns scripted responses and records requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson

from pin_pipeline.emulator.sinks import KAFKA_JSON


@dataclass
class ScriptedResponse:
    """One scripted response; `hang_up` closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass
class GatewayDouble:
    """Returns the responses of `script`, then acknowledges everything.

    `requests` has the path and the records of each request.
    """

    url: str = ""
    script: list[ScriptedResponse] = field(default_factory=list)
    requests: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [record["value"] for path, records in self.requests if path == f"/topics/{topic}" for record in records]

    def respond(self, path: str, content_type: str | None, body: bytes) -> ScriptedResponse:
        assert content_type == KAFKA_JSON
        records = orjson.loads(body)["records"]
        self.requests.append((path, records))
        return self.script.pop(0) if self.script else acknowledge(len(records))


def acknowledge(count: int, refused: tuple[int, ...] = ()) -> ScriptedResponse:
    offsets = [
        {"partition": None, "offset": None, "error_code": 50002, "error": "too large"}
        if n in refused
        else {"partition": 0, "offset": n, "error_code": None, "error": None}
        for n in range(count)
    ]
    return ScriptedResponse(body=orjson.dumps({"offsets": offsets, "key_schema_id": None, "value_schema_id": None}))


@contextmanager
def running_gateway() -> Iterator[GatewayDouble]:
    double = GatewayDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            response = double.respond(self.path, self.headers["Content-Type"], body)
            if response.hang_up:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            """Suppress the log of requests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        double.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield double
        server.shutdown()
        thread.join()
