"""Reference implementation of the cleaning of one field, over the values of many records at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import singledispatch
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile("([0-9]{1,18})(?:[.]([0-9]{1,9}))?([kmb]?)", re.IGNORECASE | re.ASCII)
ZEROS = {"": 0, "k": 3, "m": 6, "b": 9}
MAX_BIGINT = 2**63 - 1
PLAIN_TIMESTAMP = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
"""Format of most timestamps, which are parsed as a column; columns with other formats are parsed value by value."""
TIMESTAMP = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
)
UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")

Values = list[Any]


class _Absent:
    """Type of `ABSENT`."""


ABSENT = _Absent()
"""Value of a field that a record does not have."""


@dataclass(frozen=True)
class ExpectedColumn:
    """Expected values of one field.

    Attributes:
        values: clean values, null if the value is missing or invalid.
        rejected: reason of each record that this field causes to be rejected, by number of the record.
    """

    values: pa.Array
    rejected: dict[int, Reason]


def expected_column(field: Field, raw: Values) -> ExpectedColumn:
    """Clean the raw values of a field; changes `raw`."""
    rejected: dict[int, Reason] = {}
    types = _json_types(field)
    if not set(map(type, raw)) <= types:
        for number, value in enumerate(raw):
            if value is ABSENT:
                raw[number] = None
                if field.required:
                    rejected[number] = Reason.MISSING_FIELD
            elif type(value) not in types:
                raw[number] = None
                fraction = isinstance(field, Integer) and type(value) is float
                rejected[number] = Reason.INVALID_VALUE if fraction else Reason.WRONG_TYPE
    values, invalid = _clean(field, raw)
    return ExpectedColumn(values, dict.fromkeys(invalid, Reason.INVALID_VALUE) | rejected)


def _json_types(field: Field) -> set[type]:
    match field:
        case Text():
            return {str, NoneType}
        case Integer():
            return {int}
        case Number():
            return {int, float}
        case Timestamp():
            return {str}
    raise NotImplementedError(f"reconciliation does not support fields of type {type(field).__name__}")


@singledispatch
def _clean(field: Field, raw: Values) -> tuple[pa.Array, list[int]]:
    """Clean values that have the right type or are None.

    Returns:
        The clean values, and the numbers of the invalid ones.
    """
    raise NotImplementedError(type(field), raw)


@_clean.register
def _(field: Text, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = pa.array(raw, pa.string())
    blank = pc.match_substring_regex(texts, f"^[{BLANKS}]*$")
    if field.sentinels:
        blank = pc.or_(blank, pc.is_in(texts, pa.array(field.sentinels)))
    return pc.if_else(blank, None, texts), []


@_clean.register
def _(field: Magnitude, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = _clean_texts(field, raw).dictionary_encode()
    counts = pa.array(map(_parse_magnitude, texts.dictionary.to_pylist()), pa.int64()).take(texts.indices)
    return counts, _true_indices(pc.and_(texts.is_valid(), counts.is_null()))


@_clean.register
def _(field: PrefixedPath, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = _clean_texts(field, raw)
    without_prefix = pc.utf8_slice_codeunits(texts, len(field.prefix))
    paths = pc.if_else(pc.starts_with(texts, field.prefix), without_prefix, texts)
    return paths, _true_indices(pc.invert(pc.starts_with(paths, "/")))


@_clean.register
def _(field: Integer, raw: Values) -> tuple[pa.Array, list[int]]:
    out_of_range = _remove_out_of_range(field, raw)
    return pa.array(raw, pa.int64()), out_of_range


@_clean.register
def _(field: Number, raw: Values) -> tuple[pa.Array, list[int]]:
    out_of_range = _remove_out_of_range(field, raw)
    return pa.array([None if value is None else float(value) for value in raw], pa.float64()), out_of_range


@_clean.register
def _(_field: Timestamp, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = pa.array(raw, pa.string())
    if pc.all(pc.match_substring_regex(texts, PLAIN_TIMESTAMP)).as_py():
        try:
            return pc.assume_timezone(texts.cast(pa.timestamp("us")), "UTC"), []
        except pa.ArrowInvalid:
            pass  # at least one is not a valid date: parse each
    parsed = [None if text is None else _parse_timestamp(text) for text in raw]
    pairs = enumerate(zip(raw, parsed, strict=True))
    invalid = [number for number, (text, value) in pairs if value is None and text is not None]
    return pa.array(parsed, UTC_MICROSECONDS), invalid


def _clean_texts(field: Text, raw: Values) -> pa.Array:
    """Return the texts, null if blank or a sentinel."""
    return _clean.dispatch(Text)(field, raw)[0]


def _true_indices(mask: pa.Array) -> list[int]:
    numbers: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return numbers


def _remove_out_of_range(field: Integer | Number, raw: Values) -> list[int]:
    """Replace values outside the field's range by None; return their numbers."""
    known = [value for value in raw if value is not None]
    if not known or (min(known) >= field.minimum and max(known) <= field.maximum):
        return []
    numbers = [
        number for number, value in enumerate(raw) if value is not None and not field.minimum <= value <= field.maximum
    ]
    for number in numbers:
        raw[number] = None
    return numbers


def _parse_magnitude(text: str) -> int | None:
    """Return the whole number that a magnitude such as `1.5k` stands for, or None if it is invalid."""
    match = MAGNITUDE.fullmatch(text)
    if match is None:
        return None
    whole, fraction, suffix = match[1], match[2] or "", match[3].lower()
    count, rest = divmod(int(whole + fraction) * 10 ** ZEROS[suffix], 10 ** len(fraction))
    return None if rest or count > MAX_BIGINT else count


def _parse_timestamp(text: str) -> datetime | None:
    if TIMESTAMP.fullmatch(text) is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):  # not a date of the calendar; a year before 1 or after 9999
        return None
