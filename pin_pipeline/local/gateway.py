"""The HTTP gateway as a local server."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pin_pipeline.local import ports
from pin_pipeline.local.readiness import http_ready
from pin_pipeline.local.server import ServerSpec


def server(port: int, upstreams: Mapping[str, str]) -> ServerSpec:
    """Define the gateway.

    Args:
        port: port to listen on.
        upstreams: addresses of the servers that it uses, by environment variable.
    """
    address = f"http://{ports.HOST}:{port}"
    options = ["--app", "pin_pipeline.local.guarded:gateway", "--host", ports.HOST, "--port", str(port)]
    command = [sys.executable, "-m", "pin_pipeline.gateway.server", *options]
    return ServerSpec("gateway", address, port, command, upstreams, lambda: http_ready(f"{address}/health"))
