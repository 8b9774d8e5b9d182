"""Field types of raw records: JSON type, accepted values, and the sentinels that mean "no value"."""

from __future__ import annotations

from dataclasses import dataclass

MAX_INT = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a raw record.

    Attributes:
        required: the field must be present; whether its value may be null depends on its type.
        personal: the field holds personal data, which never appears in the sample of a check.
    """

    name: str
    description: str
    required: bool = True
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class Text(Field):
    """A JSON string, published byte for byte.

    Null, blank text and the `sentinels` are published as null.
    """

    sentinels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Magnitude(Text):
    """An abbreviated count such as `997`, `1.2k`, `3M` or `1b`, published as an exact whole number."""


@dataclass(frozen=True, kw_only=True)
class PrefixedPath(Text):
    """An absolute path with an optional `prefix`, published without the prefix."""

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
    """`YYYY-MM-DD HH:MM:SS`, or ISO 8601 with `T`; fractions and an offset are optional, UTC by default; never null."""
