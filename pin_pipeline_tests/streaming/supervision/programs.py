"""Small programs that replace streaming jobs."""

from __future__ import annotations

import sys
from pathlib import Path

from pin_pipeline.local.streaming_jobs import LocalStreamingJobs

LIVES = (sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()")
DIES = (sys.executable, "-c", "raise SystemExit('no such table')")
# Like a job and its JVM, both processes share the log, and the leader may exit first.
LIVES_WITH_A_CHILD = (
    sys.executable,
    "-c",
    "import os, signal; os.fork(); print('ready', os.getpid(), flush=True); signal.pause()",
)
# Ignores SIGTERM.
STUBBORN = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()",
)


def local_jobs(home: Path, command: tuple[str, ...] = LIVES) -> LocalStreamingJobs:
    return LocalStreamingJobs(home, command)


def pid_of(home: Path, job: str) -> int:
    return int((home / f"{job}.pid").read_text())


def log_of(home: Path, job: str) -> str:
    return (home / "logs" / f"{job}.log").read_text()
