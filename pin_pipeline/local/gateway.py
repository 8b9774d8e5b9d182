"""The HTTP gateway as a local server."""

from __future__ import annotations

import sys

import httpx

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server


def server(port: int, kafka_bootstrap: str) -> Server:
    """The gateway on a port, in front of a broker."""
    address = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "uvicorn", "pin_pipeline.gateway.app:app"]
    options = ["--host", ports.HOST, "--port", str(port), "--log-level", "warning"]
    environment = {"PIN_KAFKA_BOOTSTRAP": kafka_bootstrap}
    return Server("gateway", address, [*command, *options], environment, lambda: _answers(address))


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
