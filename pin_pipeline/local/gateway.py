"""The HTTP gateway as a local server."""

from __future__ import annotations

from collections.abc import Mapping

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server, answers, uvicorn


def server(port: int, behind: Mapping[str, str]) -> Server:
    """The gateway on a port, in front of the servers whose addresses these variables tell."""
    address = f"http://{ports.HOST}:{port}"
    command = uvicorn("pin_pipeline.gateway.app:app", port, "--no-proxy-headers")
    return Server("gateway", address, command, behind, lambda: answers(f"{address}/health"))
