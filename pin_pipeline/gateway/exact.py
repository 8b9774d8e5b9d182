"""JSON read so that each value keeps the very text it was sent in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

_LINE_BREAKS = str.maketrans("", "", "\r\n")
_WHITESPACE = re.compile(r"[ \t\r\n]*")


class NotJsonError(ValueError):
    """A body is not JSON; says where."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the body is not JSON: {where}")


class WrongShapeError(ValueError):
    """A body is JSON, but not what was expected; says what was found."""


def one_line(text: str) -> bytes:
    """JSON text without line breaks."""
    # A record is one line downstream; JSON has line breaks only between tokens, where they mean nothing.
    return text.translate(_LINE_BREAKS).encode() if "\n" in text or "\r" in text else text.encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


class ExactText:
    """A JSON text and how far it is read; values are decoded whole, the envelope around them step by step."""

    _decoder = json.JSONDecoder(parse_constant=_refuse_constant)

    def __init__(self, body: bytes) -> None:
        try:
            self._text = body.decode()
        except UnicodeDecodeError as error:
            raise NotJsonError(str(error)) from error
        self._at = 0

    def value(self) -> tuple[Any, str]:
        """The next value, and the text it is written in."""
        self._peek()
        start = self._at
        try:
            decoded, self._at = self._decoder.raw_decode(self._text, start)
        except RecursionError:
            raise NotJsonError("it is nested too deep to read") from None
        except ValueError as error:
            raise NotJsonError(str(error)) from error
        return decoded, self._text[start : self._at]

    def members(self, where: str) -> Iterator[str]:
        """The names of an object's members; the caller reads each member's value."""
        for _ in self._items(where, "{", "}", "an object"):
            if self._peek() != '"':
                self._fail("expected a name in double quotes")
            name, _ = self.value()
            self._expect(":")
            yield name

    def fields(self, where: str, allowed: Collection[str] | None = None) -> dict[str, tuple[Any, str]]:
        """An object's values by name, each with its text; none may be there twice, or beside the allowed ones."""
        found: dict[str, tuple[Any, str]] = {}
        for name in self.members(where):
            if allowed is not None and name not in allowed:
                raise WrongShapeError(f"{where} has a field {name!r}; expected {', '.join(allowed)}")
            if name in found:
                raise WrongShapeError(f"{where} has the field {name!r} twice")
            found[name] = self.value()
        return found

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
            raise WrongShapeError(f"{where} is {text:.40}; expected {kind}")
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
        raise NotJsonError(str(json.JSONDecodeError(message, self._text, self._at)))
