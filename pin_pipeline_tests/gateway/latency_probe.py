"""Client in a process of its own that measures how long a gateway takes to answer while other clients use it.

`python -m pin_pipeline_tests.gateway.latency_probe URL TOPIC`: prints `ready`, and for each number of seconds that it
reads, the 99th percentile in milliseconds of `GET /health` and of a produce request with one record.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import httpx

INTERVAL_SECONDS = 0.02
TIMEOUT_SECONDS = 60
RECORD = {"records": [{"value": {"index": 1}}]}
HEADERS = {"Content-Type": "application/vnd.kafka.json.v2+json"}


async def measure(client: httpx.AsyncClient, topic: str, seconds: float) -> float:
    """Send requests at a fixed rate, and return the 99th percentile of the milliseconds from when each was due."""
    started = time.monotonic()

    async def send(number: int) -> float:
        due = started + number * INTERVAL_SECONDS
        await asyncio.sleep(due - time.monotonic())
        if number % 2:
            response = await client.post(f"/topics/{topic}", json=RECORD, headers=HEADERS)
        else:
            response = await client.get("/health")
        response.raise_for_status()
        return (time.monotonic() - due) * 1000

    latencies = await asyncio.gather(*(send(number) for number in range(int(seconds / INTERVAL_SECONDS))))
    return statistics.quantiles(latencies, n=100)[-1]


async def main(url: str, topic: str) -> None:
    """Measure as often as asked."""
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS) as client:
        await measure(client, topic, 0.5)  # opens the connections
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(await measure(client, topic, float(line)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
