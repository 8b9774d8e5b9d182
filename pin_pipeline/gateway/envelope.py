"""The body of a produce request, read so that each key and value keeps the very text it was sent in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pin_pipeline.gateway.errors import malformed, unprocessable
from pin_pipeline.gateway.media import Embedded

RECORD_FIELDS = ("value", "key", "partition")
_LINE_BREAKS = str.maketrans("", "", "\r\n")
_WHITESPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a request: its key and value as they go to the topic, None for none.

    Of a value embedded as JSON also what it says, for choosing a partition.
    """

    value: bytes | None
    key: bytes | None
    partition: int | None
    decoded: Any = None


def read_records(body: bytes, embedded: Embedded) -> list[Record]:
    """The records of `{"records": [{"value": ..., "key"?: ..., "partition"?: ...}, ...]}`, in order.

    Embedded as JSON, a key and a value go to the topic in the very text they were sent in; embedded as binary, they are
    base64 or null.

    Raises:
        ApiError: 400 where the body is not JSON, 422 where it is not a produce request.
    """
    try:
        return _request(_Text(body.decode()), embedded)
    except RecursionError:
        raise malformed("it is nested too deep to read") from None
    except ValueError as error:
        raise malformed(str(error)) from error


def _request(text: _Text, embedded: Embedded) -> list[Record]:
    records: list[Record] | None = None
    for name in text.members("the body"):
        if name != "records":
            raise unprocessable(f"the body has a field {name!r}; expected 'records' only")
        if records is not None:
            raise unprocessable("the body has the field 'records' twice")
        records = [_record(text, f"records[{position}]", embedded) for position in text.elements("records")]
    text.expect_end()
    if not records:
        raise unprocessable("the body has no records; expected {'records': [{'value': ...}, ...]}")
    return records


def _record(text: _Text, where: str, embedded: Embedded) -> Record:
    found: dict[str, tuple[Any, str]] = {}
    for name in text.members(where):
        if name not in RECORD_FIELDS:
            raise unprocessable(f"{where} has a field {name!r}; expected {', '.join(RECORD_FIELDS)}")
        if name in found:
            raise unprocessable(f"{where} has the field {name!r} twice")
        found[name] = text.value()
    if "value" not in found:
        raise unprocessable(f"{where} has no value; expected {{'value': ...}}")
    key, key_text = found.get("key", (None, ""))
    partition, partition_text = found.get("partition", (None, ""))
    if partition is not None and (type(partition) is not int or partition < 0):
        raise unprocessable(f"{where} has partition {partition_text:.40}; expected a whole number from 0")
    decoded, value = found["value"]
    if embedded is Embedded.BINARY:
        return Record(_bytes(decoded, f"the value of {where}"), _bytes(key, f"the key of {where}"), partition)
    return Record(one_line(value), None if key is None else one_line(key_text), partition, decoded)


def _bytes(text: Any, where: str) -> bytes | None:  # noqa: ANN401 - any JSON value
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise unprocessable(f"{where} is {text!r:.40}; expected base64 or null") from None


def one_line(text: str) -> bytes:
    """JSON text without line breaks."""
    # A record is one line downstream; JSON has line breaks only between tokens, where they mean nothing.
    return text.translate(_LINE_BREAKS).encode() if "\n" in text or "\r" in text else text.encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


class _Text:
    """A JSON text and how far it is read; values are decoded whole, the envelope around them step by step."""

    _decoder = json.JSONDecoder(parse_constant=_refuse_constant)

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def value(self) -> tuple[Any, str]:
        """The next value, and the text it is written in."""
        self._peek()
        start = self._at
        decoded, self._at = self._decoder.raw_decode(self._text, start)
        return decoded, self._text[start : self._at]

    def members(self, where: str) -> Iterator[str]:
        """The names of an object's members; the caller reads each member's value."""
        for _ in self._items(where, "{", "}", "an object"):
            if self._peek() != '"':
                self._fail("expected a name in double quotes")
            name, _ = self.value()
            self._expect(":")
            yield name

    def elements(self, where: str) -> Iterator[int]:
        """The positions of an array's elements; the caller reads each element."""
        return self._items(where, "[", "]", "an array")

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self._peek():
            self._fail("expected nothing more")

    def _items(self, where: str, opening: str, closing: str, kind: str) -> Iterator[int]:
        if self._peek() != opening:
            _, text = self.value()
            raise unprocessable(f"{where} is {text:.40}; expected {kind}")
        self._at += 1
        position = 0
        while self._peek() != closing or position:
            yield position
            position += 1
            if self._peek() == closing:
                break
            self._expect(",")
        self._at += 1

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            self._fail(f"expected {character!r}")
        self._at += 1

    def _peek(self) -> str:
        self._at = _WHITESPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        return self._text[self._at : self._at + 1]

    def _fail(self, message: str) -> None:
        raise json.JSONDecodeError(message, self._text, self._at)
