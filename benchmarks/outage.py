"""The gateway's memory while clients post without a pause and the broker stands still."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.gateway import bodies
from benchmarks.local_services import local_services
from benchmarks.records import synthetic_values
from benchmarks.report import Measured, conclude, require_equal, say
from pin_pipeline.emulator.sinks import KAFKA_JSON
from pin_pipeline.local import servers
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings

CLIENTS, RECORDS_A_REQUEST, REQUESTS = 16, 100, 50
OUTAGE_SECONDS, SAMPLE_SECONDS = 60, 0.1
KIB_A_MIB = 1024
HEADERS = {"Content-Type": KAFKA_JSON}


def main() -> None:
    """Stop the broker's process for a minute under load, then let it go on."""
    if sys.platform != "linux":
        sys.exit("benchmarks.outage runs on Linux only: it reads the memory of a process in /proc")
    with local_services() as settings:
        pids = {state.name: state.process.pid for state in servers.status()}
        stop, answers = threading.Event(), Counter[int]()
        requests = bodies(list(synthetic_values(PIN.name, REQUESTS * RECORDS_A_REQUEST)), RECORDS_A_REQUEST)
        clients = [threading.Thread(target=_post, args=(settings, requests, stop, answers)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        _wait_for(answers, 200)
        say(f"the broker stands still for {OUTAGE_SECONDS} s")
        os.killpg(pids["kafka"], signal.SIGSTOP)
        peak = 0
        deadline = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < deadline:
            peak = max(peak, _resident_kib(pids["gateway"]))
            time.sleep(SAMPLE_SECONDS)
        during = dict(answers)
        os.killpg(pids["kafka"], signal.SIGCONT)
        say(f"answers by status until then: {during}; the broker goes on")
        _wait_for(answers, 200)
        stop.set()
        for client in clients:
            client.join()
        require_equal("statuses, and those of an outage", set(answers) - {200, 429, 503}, set())
    conclude(Measured("gateway's memory at most, broker standing still", peak / KIB_A_MIB, "MiB", at_most=200))


def _post(settings: Settings, requests: Sequence[bytes], stop: threading.Event, answers: Counter[int]) -> None:
    with httpx.Client(base_url=settings.gateway_url, timeout=60) as client:
        while not stop.is_set():
            for body in requests:
                reply = client.post(f"/topics/{settings.topic(PIN.name)}", content=body, headers=HEADERS)
                answers[reply.status_code] += 1
                if stop.is_set():
                    return


def _wait_for(answers: Counter[int], status: int) -> None:
    wanted = answers[status] + CLIENTS
    while answers[status] < wanted:
        time.sleep(SAMPLE_SECONDS)


def _resident_kib(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


if __name__ == "__main__":
    main()
