"""A server of the local environment as a detached process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.process import POLL_SECONDS, DetachedProcess

START_SECONDS = 90
PROBE_SECONDS = 5


@dataclass(frozen=True)
class Server:
    """What is needed to start a server, and to know that it is ready.

    Attributes:
        address: how clients reach it.
        ready: whether it answers its own protocol; must return within seconds.
    """

    name: str
    address: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]


def uvicorn(app: str, port: int, *options: str) -> list[str]:
    """The command of a server that is an ASGI app of ours; it listens to this machine only."""
    where = ["--host", ports.HOST, "--port", str(port)]
    return [sys.executable, "-m", "uvicorn", app, *where, "--log-level", "warning", "--no-access-log", *options]


def answers(url: str) -> bool:
    """Whether a server answers there by HTTP."""
    try:
        return httpx.get(url, timeout=PROBE_SECONDS).is_success
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class ServerProcess(DetachedProcess):
    """The one process, or none, that is a server of a home."""

    def start(self, server: Server) -> bool:
        """Start the server unless it lives; says whether it was started. Does not wait until it is ready."""
        return self.launch(server.command, server.environment)

    def wait_until_ready(self, server: Server) -> None:
        """Return when the server answers.

        Raises:
            LocalError: it died, or did not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not server.ready():
            if not self.alive():
                raise LocalError(f"{self.name} ended while it was starting: {self.tail()} (see {self.log})")
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} did not answer at {server.address} in {START_SECONDS} s: see {self.log}")
            time.sleep(POLL_SECONDS)
