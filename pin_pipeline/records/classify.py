"""Classification of records over Arrow batches: one implementation for in-process work, Spark and streaming.

The rules run in Python and parse a record once. The same rules as Spark column expressions, which parse the JSON once
per field, took five times as long.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from threading import Lock

import pyarrow as pa

from pin_pipeline.records import RecordType
from pin_pipeline.records.rules import Accepted, Rejected, Validator

REJECTION_FIELDS = ("reason", "field", "value")
_REJECTED = ("bytes: binary", "rejection: struct<reason: string, field: string, value: string>")
_FINDINGS = ("inconsistent: array<string>", "unknown: array<string>")
_ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def classification_ddl(record_type: RecordType) -> str:
    """Return the Spark SQL type of a classified record.

    A rejected record has `bytes` and `rejection`; an accepted one has the published columns, the names of the
    consistency rules it breaks (`inconsistent`) and of the fields its type does not have (`unknown`). All other fields
    are null.
    """
    columns = (f"{column.name}: {column.type}" for column in record_type.columns)
    return f"struct<{', '.join((*_REJECTED, *columns, *_FINDINGS))}>"


def classification_type(record_type: RecordType) -> pa.StructType:
    """Return the Arrow type that corresponds to `classification_ddl`."""
    names = pa.array([], _arrow_type("array<string>")).type
    return pa.struct(
        [
            pa.field("bytes", pa.binary()),
            pa.field("rejection", pa.struct([(name, pa.string()) for name in REJECTION_FIELDS])),
            *(pa.field(column.name, _arrow_type(column.type)) for column in record_type.columns),
            pa.field("inconsistent", names),
            pa.field("unknown", names),
        ]
    )


def classify_values(record_type: RecordType, values: Iterable[bytes | None]) -> pa.StructArray:
    """Validate raw records; returns one `classification_type` struct per record, in order.

    Args:
        record_type: the type the records should have.
        values: the bytes of each record; None for a tombstone.
    """
    validator, type_ = Validator(record_type), classification_type(record_type)
    empty = (None,) * (type_.num_fields - len(_REJECTED))

    def cells(value: bytes | None, outcome: Accepted | Rejected) -> Sequence[object]:
        if isinstance(outcome, Rejected):
            return value, outcome._asdict(), *empty
        return None, None, *outcome.row, outcome.inconsistent, outcome.unknown

    with _garbage_collection_paused:
        rows = [cells(value, validator.validate(value)) for value in values]
        columns = zip(*rows, strict=True) if rows else ((),) * type_.num_fields
        arrays = [pa.array(column, field.type) for column, field in zip(columns, type_, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(type_))


def _arrow_type(sql: str) -> pa.DataType:
    if sql.startswith("array<"):
        return pa.list_(pa.field("element", _arrow_type(sql.removeprefix("array<").removesuffix(">"))))
    return _ARROW_TYPES[sql]


class _GarbageCollectionPause:
    """Pause of the cyclic garbage collector, which takes a third of the time on millions of tuples without cycles.

    The collector is global: it resumes when the last of the threads that have paused it leaves.
    """

    def __init__(self) -> None:
        self._lock, self._threads, self._enabled = Lock(), 0, False

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._enabled = gc.isenabled()
                gc.disable()
            self._threads += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads and self._enabled:
                gc.enable()


_garbage_collection_paused = _GarbageCollectionPause()
