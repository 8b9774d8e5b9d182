"""Streaming jobs as local processes: at most one per job, and never confused with another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pin_pipeline.local import process
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline_tests.helpers.waiting import wait_until
from pin_pipeline_tests.streaming.supervision.programs import (
    DIES,
    LIVES,
    LIVES_WITH_A_CHILD,
    STUBBORN,
    local_jobs,
    log_of,
    pid_of,
)

JOB = "kinesis_to_delta"


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[LocalStreamingJobs]:
    jobs = local_jobs(tmp_path)
    yield jobs
    jobs.stop(JOB)


def alive(jobs: LocalStreamingJobs) -> bool:
    return jobs.status(JOB).since is not None


def processes(home: Path) -> list[int]:
    """Return the processes that write to the log of the job."""
    log = home / "logs" / f"{JOB}.log"
    found = []
    for running in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or belongs to another user
            if any(Path(file.path) == log for file in running.open_files()):
                found.append(running.pid)
    return found


def test_job_starts_once_and_stops_once(jobs: LocalStreamingJobs, tmp_path: Path) -> None:
    assert not alive(jobs)
    assert [jobs.start(JOB), jobs.start(JOB)] == [True, False]
    assert processes(tmp_path) == [pid_of(tmp_path, JOB)]
    assert [jobs.stop(JOB), jobs.stop(JOB)] == [True, False]
    assert not alive(jobs)
    assert processes(tmp_path) == []


def test_concurrent_starts_start_one_process(jobs: LocalStreamingJobs, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from pin_pipeline_tests.streaming.supervision.programs import local_jobs;"
        f"print(local_jobs(Path(sys.argv[1])).start({JOB!r}))"
    )
    with ThreadPoolExecutor(4) as pool:
        command = [sys.executable, "-c", code, str(tmp_path)]
        outputs = list(pool.map(lambda _: subprocess.check_output(command, text=True), range(4)))
    assert sorted(outputs) == ["False\n", "False\n", "False\n", "True\n"]
    assert processes(tmp_path) == [pid_of(tmp_path, JOB)]
    assert alive(jobs)


def test_killed_job_is_reported_and_can_be_restarted(jobs: LocalStreamingJobs, tmp_path: Path) -> None:
    jobs.start(JOB)
    first = pid_of(tmp_path, JOB)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not alive(jobs))
    assert jobs.start(JOB)
    assert pid_of(tmp_path, JOB) != first
    assert processes(tmp_path) == [pid_of(tmp_path, JOB)]


def test_stale_process_id_is_neither_reported_nor_killed(jobs: LocalStreamingJobs, tmp_path: Path) -> None:
    with subprocess.Popen(LIVES, start_new_session=True, stdout=subprocess.DEVNULL) as stranger:
        (tmp_path / f"{JOB}.pid").write_text(str(stranger.pid))  # as after a reboot
        assert not alive(jobs)
        assert not jobs.stop(JOB)
        assert stranger.poll() is None
        stranger.kill()


def test_job_is_running_while_any_of_its_processes_is(tmp_path: Path) -> None:
    jobs = local_jobs(tmp_path, LIVES_WITH_A_CHILD)
    jobs.start(JOB)
    wait_until(lambda: log_of(tmp_path, JOB).count("ready") == 2)
    os.kill(pid_of(tmp_path, JOB), signal.SIGKILL)
    assert alive(jobs)
    assert not jobs.start(JOB)
    assert jobs.stop(JOB)
    assert processes(tmp_path) == []


def test_job_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    jobs = local_jobs(tmp_path, STUBBORN)
    jobs.start(JOB)
    wait_until(lambda: "ready" in log_of(tmp_path, JOB))
    assert jobs.stop(JOB)
    assert processes(tmp_path) == []


def test_log_of_the_previous_process_is_kept(tmp_path: Path) -> None:
    jobs = local_jobs(tmp_path, DIES)
    jobs.start(JOB)
    wait_until(lambda: not alive(jobs))
    local_jobs(tmp_path).start(JOB)
    assert (tmp_path / "logs" / f"{JOB}.previous.log").read_text() == "no such table\n"
    jobs.stop(JOB)
