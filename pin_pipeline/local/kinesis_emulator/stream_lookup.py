"""Lookup of the streams and shards that requests name; expired records are deleted on the way."""

from __future__ import annotations

from pin_pipeline.local.kinesis_emulator.errors import invalid_argument, not_found
from pin_pipeline.local.kinesis_emulator.payloads import RequestBody
from pin_pipeline.local.kinesis_emulator.quotas import Quotas
from pin_pipeline.local.kinesis_emulator.stream_store import StoredShard, StoredStream, StreamStore, epoch_milliseconds

HOUR_MILLISECONDS = 3_600_000


class StreamLookup:
    """Streams and shards by the names in a request.

    Attributes:
        store: the streams.
    """

    def __init__(self, store: StreamStore, quotas: Quotas) -> None:
        self.store = store
        self._retention_seconds = quotas.retention_seconds

    def stream(self, request: RequestBody) -> StoredStream:
        """Return the stream of a request, by name or by ARN, after deleting its expired records.

        Raises:
            KinesisRequestError: the request names no stream, or one that does not exist.
        """
        name = request.get("StreamName") or request.get("StreamARN", "").rpartition("/")[2]
        if not name:
            raise invalid_argument("StreamName or StreamARN must be given")
        stream = self.store.stream(name)
        self.store.expire(stream, epoch_milliseconds() - self.retention(stream))
        return stream

    def retention(self, stream: StoredStream) -> int:
        """Return the lifetime of a record of the stream in milliseconds."""
        if self._retention_seconds is None:
            return stream.retention_hours * HOUR_MILLISECONDS
        return int(self._retention_seconds * 1000)

    def shard(self, stream: StoredStream, shard_id: str) -> StoredShard:
        """Return a shard of a stream.

        Raises:
            KinesisRequestError: it does not exist.
        """
        for shard in self.store.shards(stream):
            if shard.id == shard_id:
                return shard
        raise not_found(f"Shard {shard_id} in stream {stream.name} not found.")

    def open_shards(self, stream: StoredStream) -> list[StoredShard]:
        """Return the shards that accept records."""
        return [shard for shard in self.store.shards(stream) if shard.closed is None]

    def open_shard(self, stream: StoredStream, shard_id: str) -> StoredShard:
        """Return a shard of a stream that accepts records.

        Raises:
            KinesisRequestError: it does not exist, or is closed.
        """
        shard = self.shard(stream, shard_id)
        if shard.closed is not None:
            raise invalid_argument(f"shard {shard_id} of stream {stream.name} is closed")
        return shard
