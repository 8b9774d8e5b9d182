"""Servers of the local environment as detached processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.process import DetachedProcess
from pin_pipeline.local.waiting import wait_until

START_SECONDS = 90
ADDRESS_IN_USE = "address already in use"
"""Text in the log of every server that could not listen, for example on a second port, such as Kafka's controller."""


class PortTakenError(LocalError):
    """Raised when another program has taken the port of a server while the server was starting."""


@dataclass(frozen=True)
class ServerSpec:
    """A server: how to start it, and how to find out whether it is ready.

    Attributes:
        name: name of its process.
        address: address for clients.
        port: port that it listens on.
        command: command line.
        environment: environment variables in addition to those of the calling process.
        is_ready: returns within seconds whether it serves requests.
    """

    name: str
    address: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]


def uvicorn_command(app: str, port: int, *options: str) -> list[str]:
    """Return the command that serves an ASGI app on the loopback interface."""
    bind = ["--host", ports.HOST, "--port", str(port), "--no-proxy-headers"]
    return [sys.executable, "-m", "uvicorn", app, *bind, "--log-level", "warning", "--no-access-log", *options]


@dataclass(frozen=True)
class ServerProcess(DetachedProcess):
    """The process of a server; at most one per home and name."""

    def start(self, server: ServerSpec) -> bool:
        """Start the server unless it is running, without waiting until it is ready.

        Returns:
            Whether it was started.
        """
        return self.launch(server.command, server.environment)

    def wait_until_ready(self, server: ServerSpec) -> None:
        """Wait until the server serves requests, at the port that it was told to use.

        Raises:
            PortTakenError: another program has taken the port.
            LocalError: it ended for another reason, or was not ready in time.
        """

        def is_ready() -> bool:
            # Another program could respond at this address, such as a server of another home.
            ready = server.is_ready() and self._listens_on(server.port)
            if ready or self.is_alive():
                return ready
            if not ports.is_free(server.port) or ADDRESS_IN_USE in self.log.read_text(errors="replace").lower():
                raise PortTakenError(f"port {server.port} of {self.name} was taken by {ports.user_of(server.port)}")
            raise LocalError(f"{self.name} ended while it was starting: {self.tail()} (see {self.log})")

        message = f"{self.name} was not ready at {server.address} within {START_SECONDS} s: see {self.log}"
        wait_until(is_ready, START_SECONDS, message, error=LocalError)

    def _listens_on(self, port: int) -> bool:
        return any(port in ports.listening_ports(process) for process in self.members())
