"""Back-pressure: a limit on the bytes of all requests being received or in flight, which bounds the memory used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pin_pipeline.gateway.errors import too_many_bytes_in_flight

MAX_IN_FLIGHT_BYTES = 32 * 2**20
"""Keeps the process below 200 MiB while the broker is stopped (94 MiB measured by `benchmarks.outage`)."""
RESERVED_BYTES = 8 * 2**20
"""Part of the limit that large requests leave to small ones, unless a large one is alone."""
SMALL_REQUEST_BYTES = 64 * 2**10
RECORD_OVERHEAD_BYTES = 2048
"""Estimated memory for tracking one record, counted in addition to its own bytes."""


class BytesInFlight:
    """Counts the bytes of requests that are being received, or wait for Kafka or Kinesis."""

    def __init__(self, limit: int = MAX_IN_FLIGHT_BYTES, reserved: int = RESERVED_BYTES) -> None:
        self._limit, self._reserved = limit, reserved
        self._bytes = 0

    def size(self) -> int:
        """Return the bytes in flight."""
        return self._bytes

    @contextmanager
    def receiving(self) -> Iterator[Share]:
        """Count the bytes of a body while it is received."""
        share = Share(self)
        try:
            yield share
        finally:
            self._bytes -= share.size

    @contextmanager
    def hold(self, body_bytes: int, records: int) -> Iterator[None]:
        """Count the records of a request while they are in flight, with the overhead of each record.

        Raises:
            ApiError: 429 if the limit is reached until other requests are done.
        """
        with self.receiving() as share:
            share.grow_to(body_bytes + records * RECORD_OVERHEAD_BYTES)
            yield

    def add(self, size: int, growth: int) -> None:
        """Count more bytes of a request. Raises ApiError 429 if the limit is reached.

        Args:
            size: all bytes of the request.
            growth: those that are not counted yet.
        """
        others = self._bytes + growth - size
        limit = self._limit if size <= SMALL_REQUEST_BYTES or not others else self._limit - self._reserved
        if self._bytes + growth > limit:
            raise too_many_bytes_in_flight(f"{self._bytes} bytes are in flight, the limit is {limit}; retry later")
        self._bytes += growth


class Share:
    """The bytes of one request."""

    __slots__ = ("_all", "size")

    def __init__(self, in_flight: BytesInFlight) -> None:
        self._all, self.size = in_flight, 0

    def grow_to(self, size: int) -> None:
        """Count the bytes up to this size. Raises ApiError 429 if the limit is reached."""
        self._all.add(size, size - self.size)
        self.size = size
