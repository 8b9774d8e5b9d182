"""The HTTP gateway as a local server."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import httpx

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server


def server(port: int, behind: Mapping[str, str]) -> Server:
    """The gateway on a port, in front of the servers whose addresses these variables tell."""
    address = f"http://{ports.HOST}:{port}"
    command = [sys.executable, "-m", "uvicorn", "pin_pipeline.gateway.app:app"]
    quiet = ["--log-level", "warning", "--no-access-log"]
    options = ["--host", ports.HOST, "--port", str(port), "--no-proxy-headers", *quiet]
    return Server("gateway", address, [*command, *options], behind, lambda: _answers(address))


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
