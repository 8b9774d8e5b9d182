"""Reference rules: the expected outcome of records, computed a column at a time.

They implement the same rules as the cleaning, from the same definitions of the record types, in separate code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.reconciliation.reference_columns import ABSENT, UTC_MICROSECONDS, Values, expected_column
from pin_pipeline.records import Combine, RecordType
from pin_pipeline.records.reasons import Reason

BATCH = 1_000
"""Records parsed at a time: few enough to stay in the processor's cache until all of their fields have been read."""
TYPES = {"bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "timestamp": UTC_MICROSECONDS}


class ExpectedRejection(NamedTuple):
    """Reason for which a record should be in quarantine."""

    reason: Reason
    field: str | None = None

    def __str__(self) -> str:
        return self.reason if self.field is None else f"{self.reason}: {self.field}"


@dataclass(frozen=True)
class ExpectedOutcome:
    """Expected outcome of a sequence of records.

    Attributes:
        rows: published columns, one row per record; the row of a rejected record has no meaning.
        rejections: rejected records, by their number in the sequence.
    """

    rows: pa.Table
    rejections: dict[int, ExpectedRejection]


def expected_outcome(record_type: RecordType, values: Sequence[bytes | None]) -> ExpectedOutcome:
    """Compute the expected outcome of records from their bytes; the value of a tombstone is None."""
    rejections: dict[int, ExpectedRejection] = {}
    raw: list[Values] = [[] for _ in record_type.fields]
    for begin in range(0, len(values), BATCH):
        batch = enumerate(values[begin : begin + BATCH], begin)
        records = [_parse(value, number, rejections) for number, value in batch]
        for field, raw_values in zip(record_type.fields, raw, strict=True):
            raw_values.extend(_field_values(field.name, records))
    columns = {}
    for field, raw_values in zip(record_type.fields, raw, strict=True):
        column = expected_column(field, raw_values)
        columns[field.name] = column.values
        for number, reason in column.rejected.items():
            if number not in rejections:
                record = _parse(values[number], number, rejections)
                rejections[number] = _rejection(record_type, record, ExpectedRejection(reason, field.name))
    published = [_combine(column.combine, [columns[name] for name in column.fields]) for column in record_type.columns]
    rows = pa.Table.from_arrays(published, [column.name for column in record_type.columns])
    return ExpectedOutcome(rows.cast(published_schema(record_type)), rejections)


def published_schema(record_type: RecordType) -> pa.Schema:
    """Return the schema of the published columns."""
    return pa.schema([(column.name, _arrow_type(column.type)) for column in record_type.columns])


def _parse(value: bytes | None, number: int, rejections: dict[int, ExpectedRejection]) -> dict[str, Any]:
    """Return the fields of a record; a value that is not an object is added to the rejections and has none."""
    try:
        record = orjson.loads(b"" if value is None else value)
    except orjson.JSONDecodeError:
        rejections[number] = ExpectedRejection(Reason.NOT_JSON)
        return {}
    if isinstance(record, dict):
        return record
    rejections[number] = ExpectedRejection(Reason.NOT_AN_OBJECT)
    return {}


def _field_values(name: str, records: Sequence[dict[str, Any]]) -> Values:
    """Return the values of a field, ABSENT for records that do not have it."""
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name, ABSENT) for record in records]


def _rejection(
    record_type: RecordType, record: dict[str, Any], field_rejection: ExpectedRejection
) -> ExpectedRejection:
    """Return the first rejection that applies: those of the whole record precede that of its first invalid field."""
    if record.get(record_type.key) is None:
        return ExpectedRejection(Reason.NO_KEY, record_type.key)
    required = {field.name for field in record_type.fields if field.required} - {record_type.key}
    return ExpectedRejection(Reason.OTHER_RECORD_TYPE) if required.isdisjoint(record) else field_rejection


def _combine(combine: Combine | None, arrays: list[pa.Array]) -> pa.Array:
    match combine:
        case None:
            return arrays[0]
        case Combine.ARRAY:
            ends = pa.array(range(0, len(arrays) * len(arrays[0]) + 1, len(arrays)), pa.int32())
            return pa.ListArray.from_arrays(
                ends, list(chain(*zip(*(array.to_pylist() for array in arrays), strict=True)))
            )
        case Combine.FIRST:
            return pc.coalesce(*arrays)
        case Combine.SPACE_JOINED:
            rows = zip(*(array.to_pylist() for array in arrays), strict=True)
            return pa.array([" ".join(filter(None, words)) or None for words in rows], pa.string())


def _arrow_type(sql: str) -> pa.DataType:
    if sql.startswith("array<"):
        return pa.list_(_arrow_type(sql.removeprefix("array<").removesuffix(">")))
    return TYPES.get(sql, pa.string())
