"""Partitioner for records whose sender names no partition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count
from zlib import crc32

import msgspec

from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.records import RECORD_TYPES

BY_KEY = -1
"""Partition of a record that librdkafka assigns: it hashes the key with `PARTITIONER`."""
PARTITIONER = "murmur2_random"
"""Hash of the Java client, and so of the Confluent REST Proxy."""

_round_robin = count()


def choose_partitions(topic: str, records: Sequence[ProduceRecord], partitions: int) -> list[int]:
    """Choose the partition of each record, in [0, partitions), or `BY_KEY` for a record with a key.

    Without a key, all records of a post share a partition, which keeps them in order: `{prefix}.{record type}` is the
    topic of a record type, whose key field identifies the post. All other records are distributed round-robin.
    """
    post_decoder = _post_decoder(topic)
    return [_choose_partition(record, post_decoder, partitions) for record in records]


def _choose_partition(record: ProduceRecord, post_decoder: msgspec.json.Decoder[_Post] | None, partitions: int) -> int:
    if record.partition is not None:
        return record.partition
    if record.key is not None:
        return BY_KEY
    if post_decoder is not None and record.value is not None:
        try:
            post = post_decoder.decode(record.value).post
            return crc32(b"%d" % post if isinstance(post, int) else post.encode(errors="surrogatepass")) % partitions
        except (msgspec.DecodeError, RecursionError):
            pass  # the record does not identify a post
    return next(_round_robin) % partitions


class _Post(msgspec.Struct):
    post: int | str


@cache
def _post_decoder(topic: str) -> msgspec.json.Decoder[_Post] | None:
    """Return a decoder of the key field of the topic's record type; None for any other topic."""
    record_type = RECORD_TYPES.get(topic.rpartition(".")[2]) if "." in topic else None
    if record_type is None:
        return None
    keyed_post = msgspec.defstruct("KeyedPost", [("post", int | str)], bases=(_Post,), rename={"post": record_type.key})
    return msgspec.json.Decoder(keyed_post)
