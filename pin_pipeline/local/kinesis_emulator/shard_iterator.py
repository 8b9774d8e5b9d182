"""Shard iterators: opaque tokens that hold a position in a shard and when they were issued."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass

from pin_pipeline.local.kinesis_emulator.errors import KinesisRequestError, invalid_argument
from pin_pipeline.local.kinesis_emulator.stream_store import StoredShard, StoredStream


@dataclass(frozen=True)
class ShardIterator:
    """The position from which GetRecords reads.

    Attributes:
        stream: name of the stream.
        created: when the stream was created, in epoch milliseconds; a recreated stream invalidates the iterator.
        shard_id: id of the shard.
        number: number of the first record to read.
    """

    stream: str
    created: int
    shard_id: str
    number: int

    @classmethod
    def decode(cls, token: str, max_age_seconds: float) -> ShardIterator:
        """Decode a token.

        Raises:
            KinesisRequestError: the token was not issued by the emulator, or has expired.
        """
        try:
            stream, created, shard_id, number, issued = json.loads(base64.b64decode(token, validate=True))
        except ValueError as error:
            raise invalid_argument("invalid ShardIterator: expected one from GetShardIterator or GetRecords") from error
        if time.time() - issued > max_age_seconds:
            raise KinesisRequestError(
                "ExpiredIteratorException", f"the iterator is older than {max_age_seconds:g} seconds"
            )
        return cls(stream, created, shard_id, number)


def encode_iterator(stream: StoredStream, shard: StoredShard, number: int) -> str:
    """Issue a token for the position of a record number in a shard."""
    return base64.b64encode(json.dumps([stream.name, stream.created, shard.id, number, time.time()]).encode()).decode()
