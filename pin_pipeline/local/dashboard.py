"""The dashboard as a local server."""

from __future__ import annotations

from collections.abc import Mapping

from pin_pipeline.local import ports
from pin_pipeline.local.server import Server, answers, uvicorn


def server(port: int, behind: Mapping[str, str]) -> Server:
    """The dashboard on a port; it draws what is in the servers whose addresses these variables tell."""
    address = f"http://{ports.HOST}:{port}"
    return Server(
        "dashboard", address, uvicorn("pin_pipeline.dashboard.app:app", port), behind, lambda: answers(address)
    )
