"""Memory of the gateway while clients post continuously and the broker is paused."""

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
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.emulator.sinks import KAFKA_JSON
from pin_pipeline.local import servers
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings

CLIENTS, BATCH_RECORDS, REQUESTS = 16, 100, 50
OUTAGE_SECONDS, SAMPLE_SECONDS = 60, 0.1
KIB_PER_MIB = 1024
HEADERS = {"Content-Type": KAFKA_JSON}


def main() -> None:
    """Pause the broker process for a minute under load, then resume it."""
    if sys.platform != "linux":
        sys.exit("benchmarks.outage runs on Linux only: it reads /proc")
    with local_services() as settings:
        pids = {state.name: state.process.pid for state in servers.status()}
        stop, statuses = threading.Event(), Counter[int]()
        requests = bodies(list(synthetic_values(PIN.name, REQUESTS * BATCH_RECORDS)), BATCH_RECORDS)
        clients = [threading.Thread(target=_post, args=(settings, requests, stop, statuses)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        _wait_for(statuses, 200)
        log_progress(f"broker paused for {OUTAGE_SECONDS} s")
        os.killpg(pids["kafka"], signal.SIGSTOP)
        peak = 0
        deadline = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < deadline:
            peak = max(peak, _resident_kib(pids["gateway"]))
            time.sleep(SAMPLE_SECONDS)
        during = dict(statuses)
        os.killpg(pids["kafka"], signal.SIGCONT)
        log_progress(f"broker resumed; responses by status until then: {during}")
        _wait_for(statuses, 200)
        stop.set()
        for client in clients:
            client.join()
        require_equal("statuses and 200, 429, 503", set(statuses) | {200, 429, 503}, {200, 429, 503})
    print_report(Measurement("peak memory of the gateway, broker paused", peak / KIB_PER_MIB, "MiB", at_most=200))


def _post(settings: Settings, requests: Sequence[bytes], stop: threading.Event, statuses: Counter[int]) -> None:
    with httpx.Client(base_url=settings.gateway_url, timeout=60) as client:
        while not stop.is_set():
            for body in requests:
                response = client.post(f"/topics/{settings.topic(PIN.name)}", content=body, headers=HEADERS)
                statuses[response.status_code] += 1
                if stop.is_set():
                    return


def _wait_for(statuses: Counter[int], status: int) -> None:
    """Wait until as many more responses have the status as there are clients."""
    expected = statuses[status] + CLIENTS
    while statuses[status] < expected:
        time.sleep(SAMPLE_SECONDS)


def _resident_kib(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


if __name__ == "__main__":
    main()
