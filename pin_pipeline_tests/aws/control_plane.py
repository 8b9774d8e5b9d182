"""Emulator of the AWS services that moto lacks: the brokers of MSK clusters, MSK Connect, and any error response."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from pin_pipeline.local import ports


@dataclass(frozen=True)
class Refusal:
    """An error response of a service."""

    status: int
    code: str
    message: str


class RefusedError(Exception):
    """Raised to respond with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass
class ControlPlane:
    """MSK and MSK Connect of an account, or any service that refuses all requests.

    Attributes:
        brokers: listeners of each cluster, by ARN.
        connectors: descriptions of the connectors, by ARN.
        refusal: response to every request, if set.
    """

    address: str = ""
    brokers: dict[str, dict[str, str]] = field(default_factory=dict)
    connectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: Refusal | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[ControlPlane]:
        """Run a server on this machine."""
        plane = cls()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = unquote(urlsplit(self.path).path)
                status, code, body = plane.respond(self.command, path, request)
                content = body.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if code:
                    self.send_header("x-amzn-ErrorType", code)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = do_GET  # noqa: N815 - names of BaseHTTPRequestHandler

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
                pass

        with ThreadingHTTPServer((ports.HOST, 0), Handler) as server:
            plane.address = f"http://{ports.HOST}:{server.server_port}"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield plane
            server.shutdown()

    def respond(self, method: str, path: str, request: bytes) -> tuple[int, str, str]:
        """Return status, error code and body."""
        try:
            return 200, "", json.dumps(self._handle(method, path, request))
        except RefusedError as refused:
            refusal = refused.refusal
            return refusal.status, refusal.code, json.dumps({"__type": refusal.code, "message": refusal.message})

    def _handle(self, method: str, path: str, request: bytes) -> Mapping[str, Any]:
        if self.refusal is not None:
            raise RefusedError(self.refusal)
        match method, path.strip("/").split("/", 2):
            case "GET", ["v1", "clusters", name]:
                listeners = self.brokers.get(name.removesuffix("/bootstrap-brokers"))
                if listeners is None:
                    raise RefusedError(Refusal(404, "NotFoundException", "The requested cluster does not exist."))
                return {f"b{listener[1:]}": address for listener, address in listeners.items()}
            case "GET", ["v1", "connectors"]:
                return {"connectors": [*self.connectors.values()]}
            case "GET", ["v1", "connectors", arn]:
                return self.connectors[arn]
            case "POST", ["v1", "connectors"]:
                arn = f"arn:aws:kafkaconnect:us-east-1:123456789012:connector/pins/{uuid.uuid4()}"
                self.connectors[arn] = {**json.loads(request), "connectorArn": arn, "connectorState": "RUNNING"}
                return {"connectorArn": arn}
            case "DELETE", ["v1", "connectors", arn]:
                return {"connectorArn": self.connectors.pop(arn)["connectorArn"]}
        raise RefusedError(Refusal(400, "BadRequestException", f"{method} {path}"))
