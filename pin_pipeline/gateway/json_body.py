"""JSON request bodies, decoded so that nested values keep the exact text they were sent in."""

from __future__ import annotations

import codecs
from typing import TypeVar

import msgspec

from pin_pipeline.gateway.errors import body_not_json, too_many_records, unprocessable

T = TypeVar("T")

MAX_RECORDS = 5_000
"""Records of one request. The largest request then occupies the process for 20 ms, and 20 MiB while in flight."""
GZIP = b"\x1f\x8b"
CHUNK_BYTES = 16 * 2**10
"""UTF-8 is verified in chunks: decoding a large body at once would allocate up to four bytes per character."""

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class _RecordCount:
    """Number of records decoded so far from the current body; bodies are decoded one at a time."""

    value = 0


class Record(msgspec.Struct):
    """Base class of the records of a request. Decoding ends at the limit of records, not after all of them."""

    def __post_init__(self) -> None:
        """Count the record. Raises ApiError 413 beyond the limit."""
        _RecordCount.value += 1
        if _RecordCount.value > MAX_RECORDS:
            raise too_many_records(MAX_RECORDS)


_COUNTING_DECODER = msgspec.json.Decoder(list[Record])
_LIST_DECODER = msgspec.json.Decoder(list[msgspec.Raw])


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode and validate a request body.

    Raises:
        ApiError: 400 if the body is not JSON, 422 if it does not match the decoder's type, 413 if it has too many
            records.
    """
    _RecordCount.value = 0
    if body.startswith(GZIP):
        raise body_not_json("it is compressed; send it uncompressed")
    try:
        _verify_utf8(body)  # msgspec does not check the text of `msgspec.Raw` values
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise unprocessable(f"invalid request body: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise body_not_json(str(error)) from error
    except RecursionError:
        raise body_not_json("it is nested too deeply") from None


def decode_list(body: bytes) -> list[msgspec.Raw]:
    """Decode a list of JSON values without changing their text. Raises ApiError as `decode`, and 422 if it is empty."""
    if body.count(b",") >= MAX_RECORDS:  # otherwise the list cannot have too many elements
        decode(_COUNTING_DECODER, body)
    values = decode(_LIST_DECODER, body)
    if not values:
        raise unprocessable("invalid request body: expected at least one record")
    return values


def single_line(text: msgspec.Raw | bytes) -> bytes:
    """Remove line breaks from JSON text: downstream a record is one line.

    JSON allows line breaks only between tokens, so removing them does not change the value.
    """
    line = bytes(text)
    return line.translate(None, b"\r\n") if b"\n" in line or b"\r" in line else line


def _verify_utf8(body: bytes) -> None:
    """Raise UnicodeDecodeError unless the body is UTF-8."""
    decoder = _Utf8Decoder()
    for start in range(0, len(body), CHUNK_BYTES):
        decoder.decode(body[start : start + CHUNK_BYTES])
    decoder.decode(b"", final=True)
