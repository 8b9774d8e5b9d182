"""Which port a server gets."""

from __future__ import annotations

import os
import socket

from pin_pipeline.local.errors import LocalError

HOST = "127.0.0.1"
_given: set[int] = set()


def choose(variable: str, preferred: list[int]) -> int:
    """The port that `variable` asks for, else the first preferred one that is free, else any free one.

    Raises:
        LocalError: `variable` asks for a port that another program has.
    """
    asked = os.environ.get(variable)
    if asked is None:
        return next((port for port in preferred if is_free(port)), free())
    if not asked.isdecimal() or not 0 < int(asked) < 2**16:
        raise LocalError(f"{variable} is {asked!r}; expected a port number from 1 to 65535")
    if not is_free(int(asked)):
        raise LocalError(f"port {asked}, which {variable} asks for, is taken by another program: name another, or none")
    return int(asked)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free() -> int:
    """A port that is free now, and that this process was not given before: whoever got that may not listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
