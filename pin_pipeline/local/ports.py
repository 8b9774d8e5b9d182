"""Ports of the local servers."""

from __future__ import annotations

import socket

from pin_pipeline.local.errors import LocalError

HOST = "127.0.0.1"
_assigned: set[int] = set()


def choose(server: str, requested: int | None, preferred: list[int]) -> int:
    """Return the requested port, or the first preferred port that is free, or any free port.

    Raises:
        LocalError: another program uses the requested port.
    """
    if requested is None:
        return next((port for port in preferred if is_free(port)), free_port())
    if not is_free(requested):
        variable = f"PIN_{server.upper()}_PORT"
        raise LocalError(f"{variable}={requested} is used by another program: set another port, or unset {variable}")
    return requested


def is_free(port: int) -> bool:
    """Return whether a server can listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a free port that this process has not been given before: a server may not have bound it yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in _assigned:
            _assigned.add(port)
            return port
