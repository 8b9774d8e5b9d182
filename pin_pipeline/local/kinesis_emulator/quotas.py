"""Quotas of Kinesis Data Streams, and the ones that tests lower."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SHARDS = 10_000
MAX_TAGS = 50
MAX_RECORDS_PER_PUT = 500
MAX_RECORDS_PER_GET = 10_000
MAX_BYTES_PER_GET = 10 * 2**20
MAX_RECORD_BYTES = 2**20
MAX_PARTITION_KEY_LENGTH = 256
MIN_RETENTION_HOURS, MAX_RETENTION_HOURS = 24, 8_760


@dataclass(frozen=True)
class Quotas:
    """Quotas that tests lower.

    Attributes:
        iterator_seconds: lifetime of a shard iterator.
        retention_seconds: lifetime of a record; None for the retention period of its stream.
        reads_per_second: GetRecords calls per shard and second; 0 for no limit.
    """

    iterator_seconds: float = 300
    retention_seconds: float | None = None
    reads_per_second: int = 0
