"""Ports of the local servers."""

from __future__ import annotations

import socket

import psutil

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
        raise LocalError(
            f"{variable}={requested} is used by another program: set another port, or unset {variable} "
            f"({user_of(requested)} listens on it)"
        )
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


def user_of(port: int) -> str:
    """Return the name and process id of the program that listens on a port, as far as they can be read."""
    for process in psutil.process_iter(["name"]):
        if port in listening_ports(process):
            return f"{process.info['name']} (process {process.pid})"
    return "another program"


def listening_ports(process: psutil.Process) -> set[int]:
    """Return the ports that a process listens on; none if it has ended, or belongs to another user."""
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return set()
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


def free_port() -> int:
    """Return a free port that this process has not been given before: a server may not have bound it yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in _assigned:
            _assigned.add(port)
            return port
