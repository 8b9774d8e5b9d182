"""JSON request bodies, decoded so that nested values keep the exact text they were sent in."""

from __future__ import annotations

import codecs
from typing import TypeVar

import msgspec

from pin_pipeline.gateway.errors import body_not_json, unprocessable

T = TypeVar("T")

CHUNK_BYTES = 16 * 2**10
"""UTF-8 is verified in chunks: decoding a large body at once would allocate up to four bytes per character."""

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode and validate a request body.

    Raises:
        ApiError: 400 if the body is not JSON, 422 if it does not match the decoder's type.
    """
    try:
        _verify_utf8(body)  # msgspec does not check the text of `msgspec.Raw` values
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise unprocessable(f"invalid request body: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise body_not_json(str(error)) from error
    except RecursionError:
        raise body_not_json("it is nested too deeply") from None


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
