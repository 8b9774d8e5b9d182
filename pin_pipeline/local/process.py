"""Detached processes: servers and streaming jobs that keep running when the command that started them ends.

The log file of a process is also its lock, which is held while any process of its group is running. That way a process
id is never mistaken for that of another program, a killed process is noticed at once, and a second start is refused.
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

import psutil

from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.waiting import POLL_SECONDS, WaitTimeoutError, wait_until
from pin_pipeline.settings import child_environment

STOP_SECONDS = 20
TAIL_LINES = 5
LOCK_ATTEMPTS, LOCK_SECONDS = 3, 0.01
"""Retries for the lock: a process that only checks whether this one is running holds it for less than 0.01 s."""


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def group_members(group_id: int) -> list[psutil.Process]:
    """Return the running processes of a process group."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group_id:
                members.append(process)
    return members


@dataclass(frozen=True)
class DetachedProcess:
    """A process of a home; at most one per name.

    Attributes:
        home: folder of the local state.
        name: name of the process, and of its log and pid file.
        stop_signal: signal on which it shuts down in order.
    """

    home: Path
    name: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        """The output since the last start."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The process id of the last start. That the file exists does not mean that the process is running."""
        return self.home / f"{self.name}.pid"

    @property
    def pid(self) -> int:
        """The process id of the last start, which is also the id of its process group."""
        return int(self.pid_file.read_text())

    def is_alive(self) -> bool:
        """Return whether any process of the group is running."""
        lock = self._lock()
        if lock is None:
            return True
        lock.close()
        return False

    def members(self) -> list[psutil.Process]:
        """Return the processes of the group: that of the last start, and those that it has started."""
        try:
            return group_members(self.pid)
        except (FileNotFoundError, ValueError):
            return []

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Start a command unless the process is running; does not wait for it.

        The output of the previous process is kept in `{name}.previous.log`.

        Returns:
            Whether it was started.
        """
        lock = self._lock()
        if lock is None:
            return False
        with lock:
            shutil.copyfile(self.log, self.log.with_suffix(".previous.log"))
            lock.truncate(0)
            # Until the new pid is written, nobody may take the old one for that of the running process.
            self.pid_file.unlink(missing_ok=True)
            process = subprocess.Popen(  # noqa: S603
                command,
                # The working directory is the home, where a relative or default PIN_HOME would be another folder.
                env=child_environment({"PIN_HOME": str(self.home), **environment}),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=lock,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid_file.write_text(str(process.pid))
        return True

    def leader_is_running(self) -> bool:
        """Return whether the process that was started is running, apart from those that it has started."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    def follow(self) -> Iterator[str]:
        """Yield the lines of the log as they are written, until the process that was started ends."""
        with self.log.open(errors="replace") as log:
            while True:
                if line := log.readline():
                    yield line
                elif self.leader_is_running():
                    time.sleep(POLL_SECONDS)
                else:
                    return

    def stop(self) -> bool:
        """Stop the process: with its stop signal, then with SIGKILL if it is still running after STOP_SECONDS.

        Returns:
            Whether it was running.

        Raises:
            LocalError: it is still running after SIGKILL.
        """
        if not self.is_alive():
            return False
        for number in (self.stop_signal, signal.SIGKILL):
            with suppress(ProcessLookupError, FileNotFoundError):
                os.killpg(self.pid, number)
            with suppress(WaitTimeoutError):
                wait_until(lambda: not self.is_alive(), STOP_SECONDS, f"{self.name} ignored {number.name}")
                return True
        raise LocalError(f"{self.name} (process {self.pid}) cannot be stopped: see {self.log}")

    def tail(self) -> str:
        """Return the last lines of the log in one line."""
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
