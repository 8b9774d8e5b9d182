"""Body of a produce request, parsed without changing the JSON text of keys and values."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from pin_pipeline.gateway.embedded_format import EmbeddedFormat
from pin_pipeline.gateway.json_body import Record, decode, single_line

PartitionNumber = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Ignored = msgspec.Raw | UnsetType
"""Field of the contract that only the formats with a schema use."""


class ProduceRecord(msgspec.Struct, frozen=True, gc=False):
    """One record to produce: value and key as bytes for the topic, or None."""

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None


class JsonRecord(Record, forbid_unknown_fields=True):
    """One record of a request, embedded as JSON. Without a value, it is a tombstone."""

    value: msgspec.Raw | UnsetType = UNSET
    key: msgspec.Raw | UnsetType = UNSET
    partition: PartitionNumber | None = None


class BinaryRecord(Record, forbid_unknown_fields=True):
    """One record of a request, embedded as base64. Without a value, it is a tombstone."""

    value: bytes | None = None
    key: bytes | None = None
    partition: PartitionNumber | None = None


class _ProduceRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    key_schema: Ignored = UNSET
    key_schema_id: Ignored = UNSET
    value_schema: Ignored = UNSET
    value_schema_id: Ignored = UNSET


class JsonProduceRequest(_ProduceRequest):
    """Records to produce, embedded as JSON."""

    records: Annotated[list[JsonRecord], msgspec.Meta(min_length=1)]


class BinaryProduceRequest(_ProduceRequest):
    """Records to produce, embedded as base64."""

    records: Annotated[list[BinaryRecord], msgspec.Meta(min_length=1)]


_JSON, _BINARY = msgspec.json.Decoder(JsonProduceRequest), msgspec.json.Decoder(BinaryProduceRequest)


def parse_records(body: bytes, embedded_format: EmbeddedFormat) -> list[ProduceRecord]:
    """Parse `{"records": [{"value"?: ..., "key"?: ..., "partition"?: ...}, ...]}`.

    Keys and values embedded as JSON keep the exact text they were sent in; embedded as binary, they are base64 or null.
    The last of duplicate fields wins, as in the Confluent REST Proxy.

    Returns:
        The records, in order.

    Raises:
        ApiError: 400 if the body is not JSON, 422 if it is not a produce request, 413 if it has too many records.
    """
    if embedded_format is EmbeddedFormat.BINARY:
        return [ProduceRecord(each.value, each.key, each.partition) for each in decode(_BINARY, body).records]
    line = single_line if b"\n" in body or b"\r" in body else bytes
    return [
        ProduceRecord(None if each.value is UNSET else line(each.value), _key(each.key), each.partition)
        for each in decode(_JSON, body).records
    ]


def _key(key: msgspec.Raw | UnsetType) -> bytes | None:
    return None if key is UNSET or bytes(key) == b"null" else single_line(key)
