"""Back-pressure: a limit on the bytes of all requests in flight to Kafka and Kinesis, which bounds the memory used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pin_pipeline.gateway.errors import too_large, too_many_bytes_in_flight

MAX_IN_FLIGHT_BYTES = 32 * 2**20
"""Keeps the process below 200 MiB while the broker is stopped (94 MiB measured by `benchmarks.outage`)."""
RECORD_OVERHEAD_BYTES = 2048
"""Estimated memory for tracking one record, counted in addition to its own bytes."""


class BytesInFlight:
    """Counts the bytes of records that wait for Kafka or Kinesis, including the overhead per record."""

    def __init__(self, limit: int = MAX_IN_FLIGHT_BYTES) -> None:
        self._limit = limit
        self._bytes = 0

    def size(self) -> int:
        """Return the bytes in flight."""
        return self._bytes

    @contextmanager
    def hold(self, body_bytes: int, records: int) -> Iterator[None]:
        """Count the records of a request while they are in flight.

        Raises:
            ApiError: 429 if the limit is reached until other requests are done, 413 if the request alone exceeds it.
        """
        size = body_bytes + records * RECORD_OVERHEAD_BYTES
        if size > self._limit:
            raise too_large(f"{records} records are too many for one request; send them in smaller requests")
        if self._bytes + size > self._limit:
            raise too_many_bytes_in_flight(
                f"{self._bytes} bytes are in flight, the limit is {self._limit}; retry later"
            )
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size
