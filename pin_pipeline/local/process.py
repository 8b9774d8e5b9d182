"""A detached process of a home: a server, or a streaming job.

Its log is its lock: while any process of it lives, the lock is held. So no process id is ever mistaken for another,
a killed process is seen as gone at once, and none can be started twice.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pin_pipeline.local.errors import LocalError

STOP_SECONDS = 20
POLL_SECONDS = 0.1
TAIL_LINES = 5
# Another process that looks whether this one lives holds the lock for less than that.
LOCK_ATTEMPTS, LOCK_SECONDS = 3, 0.01


@dataclass(frozen=True)
class DetachedProcess:
    """The one process of a name, or none, in a home; it outlives who starts it."""

    home: Path
    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        """What it prints since its last start."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Written at every start; tells nothing about whether the process lives."""
        return self.home / f"{self.name}.pid"

    @property
    def pid(self) -> int:
        """The process id of the last start, which is also the id of its group."""
        return int(self.pid_file.read_text())

    def alive(self) -> bool:
        """Whether a process of it lives."""
        lock = self._lock()
        if lock is None:
            return True
        lock.close()
        return False

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Start it unless it lives; says whether it was started. Does not wait for anything.

        What the process before it printed stays in `{name}.previous.log`.
        """
        lock = self._lock()
        if lock is None:
            return False
        with lock:
            shutil.copyfile(self.log, self.log.with_suffix(".previous.log"))
            lock.truncate(0)
            # For the moment until there is a new one: nobody may take the old one for that of what lives now.
            self.pid_file.unlink(missing_ok=True)
            process = subprocess.Popen(  # noqa: S603
                command,
                # It works in the home, where `PIN_HOME`, if not said, or said in a short way, would be another.
                env={**os.environ, "PIN_HOME": str(self.home), **environment},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=lock,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid_file.write_text(str(process.pid))
        return True

    def follow(self) -> Iterator[str]:
        """The lines that it prints since its last start, as they come, until it ends."""
        with self.log.open(errors="replace") as log:
            while True:
                if line := log.readline():
                    yield line
                elif self.alive():
                    time.sleep(POLL_SECONDS)
                else:
                    return

    def stop(self) -> bool:
        """Stop it, the hard way where it does not stop by itself; says whether there was one to stop.

        Raises:
            LocalError: it cannot be stopped.
        """
        if not self.alive():
            return False
        for number in (self.stop_signal, signal.SIGKILL):
            with suppress(ProcessLookupError, FileNotFoundError):
                os.killpg(self.pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while self.alive() and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        if self.alive():
            raise LocalError(f"{self.name} (process {self.pid}) cannot be stopped: see {self.log}")
        return True

    def tail(self) -> str:
        """The last lines that it printed."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return " / ".join(lines[-TAIL_LINES:]) or "it printed nothing"

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
