"""What should become of records, worked out a column at a time.

The same rules as the cleaning has, from the same definitions of the kinds, but in code of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import singledispatch
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.records import Combine, RecordType
from pin_pipeline.records.fields import Field, Integer, Magnitude, Number, PrefixedPath, Text, Timestamp
from pin_pipeline.records.reasons import Reason

BLANKS = " \t\n\r\f\v\u00a0"
MAGNITUDE = re.compile("([0-9]{1,18})(?:[.]([0-9]{1,9}))?([kmb]?)", re.IGNORECASE | re.ASCII)
ZEROS = {"": 0, "k": 3, "m": 6, "b": 9}
# Parsed records that stay in a processor's cache until all of their fields have been read.
BATCH = 1_000
MAX_BIGINT = 2**63 - 1
# What most timestamps look like; the rest of them are looked at one by one.
PLAIN_TIMESTAMP = "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
TIMESTAMP = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
)
UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
TYPES = {"bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "timestamp": UTC_MICROSECONDS}

Values = list[Any]


class ExpectedRejection(NamedTuple):
    """Why a record should be in quarantine."""

    reason: Reason
    field: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


class _Absent:
    """The value of a field that a record does not have."""


ABSENT = _Absent()


@dataclass(frozen=True)
class ExpectedRow:
    """What should become of some records.

    Attributes:
        rows: what should be published, in the kind's columns, a row a record; what a misfit has there means nothing.
        misfits: those that do not fit, by their numbers.
    """

    rows: pa.Table
    misfits: dict[int, ExpectedRejection]


@dataclass(frozen=True)
class _ExpectedColumn:
    """The clean values of a field, null where there is none, and the numbers of the records that do not fit."""

    values: pa.Array
    wrong: dict[int, Reason]


def expect(record_type: RecordType, values: Sequence[bytes | None]) -> ExpectedRow:
    """What should become of records, given by their bytes; None is a tombstone."""
    misfits: dict[int, ExpectedRejection] = {}
    raw: list[Values] = [[] for _ in record_type.fields]
    for begin in range(0, len(values), BATCH):
        batch = enumerate(values[begin : begin + BATCH], begin)
        records = [_object(value, number, misfits) for number, value in batch]
        for field, of_field in zip(record_type.fields, raw, strict=True):
            of_field.extend(_values(field.name, records))
    columns = {}
    for field, of_field in zip(record_type.fields, raw, strict=True):
        column = _clean(field, of_field)
        columns[field.name] = column.values
        for number, reason in column.wrong.items():
            if number not in misfits:
                record = _object(values[number], number, misfits)
                misfits[number] = _misfit(record_type, record, ExpectedRejection(reason, field.name))
    published = [_combined(column.combine, [columns[name] for name in column.fields]) for column in record_type.columns]
    rows = pa.Table.from_arrays(published, [column.name for column in record_type.columns])
    return ExpectedRow(rows.cast(schema(record_type)), misfits)


def schema(record_type: RecordType) -> pa.Schema:
    """The published columns."""
    return pa.schema([(column.name, _type(column.type)) for column in record_type.columns])


def _object(value: bytes | None, number: int, misfits: dict[int, ExpectedRejection]) -> dict[str, Any]:
    try:
        record = orjson.loads(b"" if value is None else value)
    except orjson.JSONDecodeError:
        misfits[number] = ExpectedRejection(Reason.NOT_JSON)
        return {}
    if isinstance(record, dict):
        return record
    misfits[number] = ExpectedRejection(Reason.NOT_AN_OBJECT)
    return {}


def _values(name: str, records: Sequence[dict[str, Any]]) -> Values:
    """The values of a field, ABSENT where a record has none."""
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name, ABSENT) for record in records]


def _misfit(record_type: RecordType, record: dict[str, Any], of_field: ExpectedRejection) -> ExpectedRejection:
    """What is wrong with a record as a whole comes before what is wrong with its first wrong field."""
    if record.get(record_type.key) is None:
        return ExpectedRejection(Reason.NO_KEY, record_type.key)
    required = {field.name for field in record_type.fields if field.required} - {record_type.key}
    return ExpectedRejection(Reason.OTHER_RECORD_TYPE) if required.isdisjoint(record) else of_field


def _combined(how: Combine | None, arrays: list[pa.Array]) -> pa.Array:
    match how:
        case None:
            return arrays[0]
        case Combine.ARRAY:
            ends = pa.array(range(0, len(arrays) * len(arrays[0]) + 1, len(arrays)), pa.int32())
            return pa.ListArray.from_arrays(
                ends, list(chain(*zip(*(array.to_pylist() for array in arrays), strict=True)))
            )
        case Combine.WORDS:
            rows = zip(*(array.to_pylist() for array in arrays), strict=True)
            return pa.array([" ".join(filter(None, words)) or None for words in rows], pa.string())


def _type(sql: str) -> pa.DataType:
    if sql.startswith("array<"):
        return pa.list_(_type(sql.removeprefix("array<").removesuffix(">")))
    return TYPES.get(sql, pa.string())


def _clean(field: Field, raw: Values) -> _ExpectedColumn:
    wrong: dict[int, Reason] = {}
    types = _types(field)
    if not set(map(type, raw)) <= types:
        for number, value in enumerate(raw):
            if value is ABSENT:
                raw[number] = None
                if field.required:
                    wrong[number] = Reason.MISSING_FIELD
            elif type(value) not in types:
                raw[number] = None
                fraction = isinstance(field, Integer) and type(value) is float
                wrong[number] = Reason.INVALID_VALUE if fraction else Reason.WRONG_TYPE
    values, invalid = _checked(field, raw)
    return _ExpectedColumn(values, dict.fromkeys(invalid, Reason.INVALID_VALUE) | wrong)


def _types(field: Field) -> set[type]:
    match field:
        case Text():
            return {str, NoneType}
        case Integer():
            return {int}
        case Number():
            return {int, float}
        case Timestamp():
            return {str}
    raise NotImplementedError(f"fields of type {type(field).__name__} cannot be audited")


@singledispatch
def _checked(field: Field, raw: Values) -> tuple[pa.Array, list[int]]:
    """Clean values of the right types or None, and the numbers of those that no rule covers."""
    raise NotImplementedError(type(field), raw)


@_checked.register
def _(field: Text, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = pa.array(raw, pa.string())
    nothing = pc.match_substring_regex(texts, f"^[{BLANKS}]*$")
    if field.sentinels:
        nothing = pc.or_(nothing, pc.is_in(texts, pa.array(field.sentinels)))
    return pc.if_else(nothing, None, texts), []


@_checked.register
def _(field: Magnitude, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = _said(field, raw).dictionary_encode()
    counts = pa.array(map(_count, texts.dictionary.to_pylist()), pa.int64()).take(texts.indices)
    return counts, _where(pc.and_(texts.is_valid(), counts.is_null()))


@_checked.register
def _(field: PrefixedPath, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = _said(field, raw)
    behind = pc.utf8_slice_codeunits(texts, len(field.prefix))
    paths = pc.if_else(pc.starts_with(texts, field.prefix), behind, texts)
    return paths, _where(pc.invert(pc.starts_with(paths, "/")))


@_checked.register
def _(field: Integer, raw: Values) -> tuple[pa.Array, list[int]]:
    beyond = _beyond(field, raw)
    return pa.array(raw, pa.int64()), beyond


@_checked.register
def _(field: Number, raw: Values) -> tuple[pa.Array, list[int]]:
    beyond = _beyond(field, raw)
    return pa.array(map(_double, raw), pa.float64()), beyond


@_checked.register
def _(_field: Timestamp, raw: Values) -> tuple[pa.Array, list[int]]:
    texts = pa.array(raw, pa.string())
    if pc.all(pc.match_substring_regex(texts, PLAIN_TIMESTAMP)).as_py():
        try:
            return pc.assume_timezone(texts.cast(pa.timestamp("us")), "UTC"), []
        except pa.ArrowInvalid:
            pass  # one of them is no date of the calendar
    moments = [None if text is None else _moment(text) for text in raw]
    return pa.array(moments, UTC_MICROSECONDS), _unread(raw, moments)


def _said(field: Text, raw: Values) -> pa.Array:
    """The texts that say something."""
    return _checked.dispatch(Text)(field, raw)[0]


def _unread(texts: Values, read: Values) -> list[int]:
    """The numbers of the texts that say nothing that could be read."""
    pairs = enumerate(zip(texts, read, strict=True))
    return [number for number, (text, value) in pairs if value is None and text is not None]


def _where(mask: pa.Array) -> list[int]:
    numbers: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return numbers


def _beyond(field: Integer | Number, raw: Values) -> list[int]:
    """The numbers of values beyond the limits, which are made None."""
    known = [value for value in raw if value is not None]
    if not known or (min(known) >= field.minimum and max(known) <= field.maximum):
        return []
    beyond = [
        number for number, value in enumerate(raw) if value is not None and not field.minimum <= value <= field.maximum
    ]
    for number in beyond:
        raw[number] = None
    return beyond


def _double(value: float | None) -> float | None:
    return None if value is None else float(value)


def _count(text: str) -> int | None:
    """The whole number that a magnitude says, None where it says none."""
    match = MAGNITUDE.fullmatch(text)
    if match is None:
        return None
    whole, fraction, suffix = match[1], match[2] or "", match[3].lower()
    count, rest = divmod(int(whole + fraction) * 10 ** ZEROS[suffix], 10 ** len(fraction))
    return None if rest or count > MAX_BIGINT else count


def _moment(text: str) -> datetime | None:
    if TIMESTAMP.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no date of the calendar; a year before 1 or after 9999
        return None
