"""Which partition a record goes to when its sender does not say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import count
from zlib import crc32

import msgspec
from kafka.partitioner.default import murmur2

from pin_pipeline.gateway.produce_request import ProduceRecord
from pin_pipeline.records import RECORD_TYPES

_turn = count()


def partitions_of(topic: str, records: Sequence[ProduceRecord], partitions: int) -> list[int]:
    """The partition of each record, in [0, partitions).

    A record with a key goes where Java's client, and so the REST proxy, sends it. Without one, all records of a post
    share a partition, so that they keep their order: a topic named `{prefix}.{kind}` holds records of that kind, whose
    key field names the post. Any other record takes its turn.
    """
    posts = _posts(topic)
    return [_partition(record, posts, partitions) for record in records]


def _partition(record: ProduceRecord, posts: msgspec.json.Decoder[_Post] | None, partitions: int) -> int:
    if record.partition is not None:
        return record.partition
    if record.key is not None:
        return int(murmur2(record.key) & 0x7FFFFFFF) % partitions
    if posts is not None and record.value is not None:
        try:
            post = posts.decode(record.value).post
            return crc32(b"%d" % post if isinstance(post, int) else post.encode(errors="surrogatepass")) % partitions
        except (msgspec.DecodeError, RecursionError):
            pass  # it names no post
    return next(_turn) % partitions


class _Post(msgspec.Struct):
    post: int | str


@cache
def _posts(topic: str) -> msgspec.json.Decoder[_Post] | None:
    """Reads which post a record on a topic names."""
    record_type = RECORD_TYPES.get(topic.rpartition(".")[2]) if "." in topic else None
    if record_type is None:
        return None
    named = msgspec.defstruct("Named", [("post", int | str)], bases=(_Post,), rename={"post": record_type.key})
    return msgspec.json.Decoder(named)
