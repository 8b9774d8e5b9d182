"""The dashboard as a local server."""

from __future__ import annotations

from collections.abc import Mapping

from pin_pipeline.local import ports
from pin_pipeline.local.readiness import http_ready
from pin_pipeline.local.server import ServerSpec, uvicorn_command


def server(port: int, upstreams: Mapping[str, str]) -> ServerSpec:
    """Define the dashboard.

    Args:
        port: port to listen on.
        upstreams: addresses of the servers that it reads from, by environment variable.
    """
    address = f"http://{ports.HOST}:{port}"
    command = uvicorn_command("pin_pipeline.local.guarded:dashboard", port, "--factory")
    return ServerSpec("dashboard", address, port, command, upstreams, lambda: http_ready(address))
