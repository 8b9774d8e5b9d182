"""What a field of a raw record may be: its type on the wire, what it must fit, and what means "nothing"."""

from __future__ import annotations

from dataclasses import dataclass

MAX_INT = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a raw record.

    A field that is `required` must be present in every record; whether its value may be null is said by its type.
    What is `personal` is shown in no sample of a check.
    """

    name: str
    description: str
    required: bool = True
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """A JSON string, kept byte for byte; `sentinels`, blank text and null mean that there is none."""

    sentinels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Magnitude(Text):
    """A count as people write it, `997`, `1.2k`, `3M` or `1b`, published as an exact whole number."""


@dataclass(frozen=True, kw_only=True)
class PrefixedPath(Text):
    """An absolute path, possibly behind `prefix`; published without it."""

    prefix: str


@dataclass(frozen=True, kw_only=True)
class Integer(Field):
    """A JSON number without fraction or exponent within [minimum, maximum], never null."""

    minimum: int = 0
    maximum: int = MAX_INT


@dataclass(frozen=True, kw_only=True)
class Number(Field):
    """A JSON number within [minimum, maximum], never null."""

    minimum: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class Timestamp(Field):
    """`YYYY-MM-DD HH:MM:SS` or ISO 8601 with `T`, fractions and offset allowed, UTC where none is given; never null."""
