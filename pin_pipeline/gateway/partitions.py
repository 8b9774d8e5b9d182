"""Which partition a record goes to when its sender does not say."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from pin_pipeline.records import KINDS


def partition_of(topic: str, value: Any, partitions: int) -> int | None:  # noqa: ANN401
    """The partition of a keyless record: all records of one post share it, so they keep their order untouched.

    A topic named `{prefix}.{kind}` holds records of that kind, whose key field names the post.

    Returns:
        A partition in [0, partitions), or None where the value names no post: then the client may choose.
    """
    kind = KINDS.get(topic.rpartition(".")[2]) if "." in topic else None
    if kind is None or not isinstance(value, dict):
        return None
    match value.get(kind.key):
        case int() | str() as key:
            return crc32(str(key).encode(errors="surrogatepass")) % partitions
        case _:
            return None
