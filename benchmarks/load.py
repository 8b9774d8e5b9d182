"""HTTP load generator: `python -m benchmarks.load URL CONNECTIONS < bodies` posts one body per line."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import orjson
import uvloop

CONTENT_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """Request rate and 99th percentile of the latency; every response had status 200."""

    requests_per_second: float
    p99_seconds: float


def post_all(url: str, bodies: Sequence[bytes], connections: int) -> Load:
    """Post the bodies from a separate process, which does not slow the server down.

    Raises:
        CalledProcessError: a response did not have status 200.
    """
    command = [sys.executable, "-m", "benchmarks.load", url, str(connections)]
    completed = subprocess.run(command, input=b"\n".join(bodies), stdout=subprocess.PIPE, check=True)  # noqa: S603
    return Load(**orjson.loads(completed.stdout))


async def _post_all(url: str, connections: int, bodies: Iterator[bytes]) -> Load:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(
            lambda: _Client(parts, bodies, loop.create_future()), str(parts.hostname), parts.port or 80
        )
        for _ in range(connections)
    ]
    clients = [client for _, client in opened]
    await asyncio.gather(*(client.done for client in clients))
    latencies = [latency for client in clients for latency in client.latencies]
    return Load(len(latencies) / (time.perf_counter() - started), quantiles(latencies, n=100)[98])


class _Client(asyncio.Protocol):
    """Connection that posts the next body when it has the response to the previous one, with minimal overhead."""

    def __init__(self, url: SplitResult, bodies: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self.done = done
        self.latencies: list[float] = []
        self._bodies = bodies
        self._head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n".encode()
        self._response = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._post()

    def data_received(self, data: bytes) -> None:
        self._response += data
        head, end, body = self._response.partition(b"\r\n\r\n")
        if not end:
            return
        length = CONTENT_LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200 "):
            self.done.set_exception(ConnectionError(self._response.decode()))
            return
        if len(body) < int(length[1]):
            return
        self.latencies.append(time.perf_counter() - self._started)
        self._response.clear()
        self._post()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))

    def _post(self) -> None:
        body = next(self._bodies, None)
        if body is None:
            self.done.set_result(None)
            return
        self._started = time.perf_counter()
        self._transport.writelines([self._head, b"Content-Length: %d\r\n\r\n" % len(body), body])


def _main(url: str, connections: str) -> None:
    bodies = iter(sys.stdin.buffer.read().split(b"\n"))
    load: Any = uvloop.run(_post_all(url, int(connections), bodies))
    sys.stdout.buffer.write(orjson.dumps(load))


if __name__ == "__main__":
    _main(*sys.argv[1:])
