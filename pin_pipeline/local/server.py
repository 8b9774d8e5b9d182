"""A server of the local environment as a detached process.

Its log is its lock: while any process of it lives, the lock is held. So no process id is ever mistaken for another,
a killed server is seen as gone at once, and a server cannot be started twice.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from pin_pipeline.local import ports
from pin_pipeline.local.errors import LocalError

START_SECONDS = 90
STOP_SECONDS = 20
POLL_SECONDS = 0.1
PROBE_SECONDS = 5
TAIL_LINES = 5
# Another process that looks whether the server lives holds the lock for less than that.
LOCK_ATTEMPTS, LOCK_SECONDS = 3, 0.01


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
class ServerProcess:
    """The one process, or none, that is a server of a home."""

    home: Path
    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The process id of the last start; tells nothing about whether it lives."""
        return int(self._pid_file.read_text())

    def alive(self) -> bool:
        """Whether a process of the server lives."""
        lock = self._lock()
        if lock is None:
            return True
        lock.close()
        return False

    def start(self, server: Server) -> bool:
        """Start the server unless it lives; says whether it was started. Does not wait until it is ready."""
        lock = self._lock()
        if lock is None:
            return False
        with lock:
            lock.truncate(0)
            process = subprocess.Popen(  # noqa: S603
                server.command,
                env={**os.environ, **server.environment},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=lock,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))
        return True

    def wait_until_ready(self, server: Server) -> None:
        """Return when the server answers.

        Raises:
            LocalError: it died, or did not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not server.ready():
            if not self.alive():
                raise LocalError(f"{self.name} ended while it was starting: {self._tail()} (see {self.log})")
            if time.monotonic() > deadline:
                raise LocalError(f"{self.name} did not answer at {server.address} in {START_SECONDS} s: see {self.log}")
            time.sleep(POLL_SECONDS)

    def follow(self) -> Iterator[str]:
        """The lines that the server prints since its last start, as they come, until it ends."""
        with self.log.open(errors="replace") as log:
            while True:
                if line := log.readline():
                    yield line
                elif self.alive():
                    time.sleep(POLL_SECONDS)
                else:
                    return

    def stop(self) -> bool:
        """Stop the server, the hard way where it does not stop by itself; says whether there was one to stop."""
        if not self.alive():
            return False
        for kind in (self.stop_signal, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, kind)
            deadline = time.monotonic() + STOP_SECONDS
            while self.alive() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        if self.alive():
            raise LocalError(f"{self.name} (process {self.pid}) cannot be stopped: see {self.log}")
        return True

    @property
    def _pid_file(self) -> Path:
        return self.home / f"{self.name}.pid"

    def _lock(self) -> IO[bytes] | None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        log = self.log.open("ab")
        for _ in range(LOCK_ATTEMPTS):
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_SECONDS)
            else:
                return log
        log.close()
        return None

    def _tail(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return " / ".join(lines[-TAIL_LINES:]) or "it printed nothing"
