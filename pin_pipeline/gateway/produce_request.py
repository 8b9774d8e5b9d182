"""The body of a produce request, read so that each key and value keeps the very text it was sent in."""

from __future__ import annotations

import codecs
from typing import Annotated, TypeVar

import msgspec

from pin_pipeline.gateway.errors import malformed, unprocessable
from pin_pipeline.gateway.http.media_types import Embedded

T = TypeVar("T")
PIECE = 16 * 2**10
PartitionNumber = Annotated[int, msgspec.Meta(ge=0)]


_NULL = msgspec.Raw(b"null")
_Utf8 = codecs.getincrementaldecoder("utf-8")


class ProduceRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a request: its key and value as they go to the topic, None for none."""

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None


class _Json(msgspec.Struct, forbid_unknown_fields=True):
    value: msgspec.Raw
    key: msgspec.Raw = _NULL
    partition: PartitionNumber | None = None


class _Binary(msgspec.Struct, forbid_unknown_fields=True):
    value: bytes | None
    key: bytes | None = None
    partition: PartitionNumber | None = None


class _JsonRequest(msgspec.Struct, forbid_unknown_fields=True):
    records: Annotated[list[_Json], msgspec.Meta(min_length=1)]


class _BinaryRequest(msgspec.Struct, forbid_unknown_fields=True):
    records: Annotated[list[_Binary], msgspec.Meta(min_length=1)]


_JSON, _BINARY = msgspec.json.Decoder(_JsonRequest), msgspec.json.Decoder(_BinaryRequest)


def read_records(body: bytes, embedded: Embedded) -> list[ProduceRecord]:
    """The records of `{"records": [{"value": ..., "key"?: ..., "partition"?: ...}, ...]}`, in order.

    Embedded as JSON, a key and a value go to the topic in the very text they were sent in; embedded as binary, they are
    base64 or null. Of a field that is there twice the last one counts, as with the proxy.

    Raises:
        ApiError: 400 where the body is not JSON, 422 where it is not a produce request.
    """
    if embedded is Embedded.BINARY:
        return [ProduceRecord(each.value, each.key, each.partition) for each in decode(_BINARY, body).records]
    line = one_line if b"\n" in body or b"\r" in body else bytes
    return [ProduceRecord(line(each.value), _text(each.key), each.partition) for each in decode(_JSON, body).records]


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """What a body says. Raises ApiError: 400 where it is not JSON, 422 where it is something else than expected."""
    try:
        _verify_text(body)  # texts that are kept as they came are not looked into
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise unprocessable(f"the body: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(str(error)) from error
    except RecursionError:
        raise malformed("it is nested too deep to read") from None


def one_line(text: msgspec.Raw | bytes) -> bytes:
    """JSON text without line breaks."""
    # A record is one line downstream; JSON has line breaks only between tokens, where they mean nothing.
    line = bytes(text)
    return line.translate(None, b"\r\n") if b"\n" in line or b"\r" in line else line


def _text(key: msgspec.Raw) -> bytes | None:
    return None if key is _NULL or bytes(key) == bytes(_NULL) else one_line(key)


def _verify_text(body: bytes) -> None:
    """Raises UnicodeDecodeError where it is not UTF-8."""
    # In pieces: the text of a large body, four bytes a character, would be new memory from the system each time.
    decoder = _Utf8()
    for begin in range(0, len(body), PIECE):
        decoder.decode(body[begin : begin + PIECE])
    decoder.decode(b"", final=True)
