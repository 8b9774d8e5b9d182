"""Requests over HTTP, as fast as a server answers them: `python -m benchmarks.load URL CONNECTIONS < bodies`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvloop


@dataclass(frozen=True)
class Load:
    """What became of some requests: how long all took, and the slowest hundredth; every one got a 200."""

    seconds: float
    p99_seconds: float


def post_all(url: str, bodies: Sequence[bytes], connections: int) -> Load:
    """Post the bodies from a process of its own, so that what it costs is not the server's.

    Raises:
        CalledProcessError: a request did not get a 200.
    """
    command = [sys.executable, "-m", "benchmarks.load", url, str(connections)]
    answer = subprocess.run(command, input=b"\n".join(bodies), stdout=subprocess.PIPE, check=True)  # noqa: S603
    return Load(**orjson.loads(answer.stdout))


async def _post_all(url: str, connections: int, bodies: Iterator[bytes]) -> Load:
    started = time.perf_counter()
    taken = await asyncio.gather(*(_post(url, bodies) for _ in range(connections)))
    latencies = [latency for of_connection in taken for latency in of_connection]
    return Load(time.perf_counter() - started, quantiles(latencies, n=100)[98])


async def _post(url: str, bodies: Iterator[bytes]) -> list[float]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n".encode()
    latencies = []
    for body in bodies:
        started = time.perf_counter()
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        reply = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not reply.startswith(b"http/1.1 200 "):
            raise ConnectionError(reply.decode())
        length = int(reply.partition(b"content-length:")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
    writer.close()
    return latencies


def _main(url: str, connections: str) -> None:
    bodies = iter(sys.stdin.buffer.read().split(b"\n"))
    load: Any = uvloop.run(_post_all(url, int(connections), bodies))
    sys.stdout.buffer.write(orjson.dumps(load))


if __name__ == "__main__":
    _main(*sys.argv[1:])
