"""Classified records of the embedded engine: Arrow tables in the memory of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pin_pipeline.batch.batch_stats import MAX_NAME_CHARACTERS, MAX_UNKNOWN_FIELDS
from pin_pipeline.batch.parallel import check_interrupted
from pin_pipeline.quarantine.rejected_rows import rejected_rows
from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE
from pin_pipeline.records import RecordType
from pin_pipeline.records.classify import classification_type, classify_values
from pin_pipeline.records.positions import MAX_PARTITIONS, SOURCE_POSITION
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.object_format import decode_values
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import BatchStats, Occurrences

KEYS_PER_LOOKUP = 2**20
"""Rows of a cleaned table whose keys are compared at once: each time, all new keys are hashed."""

POSITION = [column.name for column in SOURCE_POSITION]
POSITION_FIELDS = [
    pa.field(name, type_) for name, type_ in zip(POSITION, (pa.string(), pa.int32(), pa.int64()), strict=True)
]


def classify_objects(record_type: RecordType, store: ObjectStore, names: Sequence[ObjectName]) -> pa.Table:
    """Read landed objects one by one and classify their records; the result has one chunk per object."""
    return _table(record_type, (_classify_object(record_type, store, name) for name in names))


def _classify_object(record_type: RecordType, store: ObjectStore, name: ObjectName) -> pa.RecordBatch:
    check_interrupted()
    values = decode_values(name.area, store.read(name))
    count = len(values)
    position = [
        pa.repeat(name.topic, count),
        pa.repeat(pa.scalar(name.partition, pa.int32()), count),
        pa.array(range(name.offset, name.offset + count), pa.int64()),
    ]
    return _batch(position, classify_values(record_type, values))


def classify_rows(record_type: RecordType, rows: pa.Table) -> pa.Table:
    """Classify the records of quarantine rows: position columns, and the raw record in the column `bytes`."""
    return _table(
        record_type,
        (
            _batch(
                [batch[field.name].cast(field.type) for field in POSITION_FIELDS],
                classify_values(record_type, batch["bytes"].to_pylist()),
            )
            for batch in rows.to_batches()
        ),
    )


def _batch(position: Sequence[pa.Array], outcomes: pa.StructArray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*position, *outcomes.flatten()], [*POSITION, *(field.name for field in outcomes.type)]
    )


def _table(record_type: RecordType, batches: Iterator[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches, pa.schema([*POSITION_FIELDS, *classification_type(record_type)]))


def collect_batch_stats(records: pa.Table) -> BatchStats:
    """Count the classified records of a batch."""
    quarantined = records.num_rows - records["rejection"].null_count
    return BatchStats(
        records.num_rows, quarantined, _occurrences(records, "inconsistent"), _occurrences(records, "unknown")
    )


def _occurrences(records: pa.Table, column: str) -> dict[str, Occurrences]:
    found = records.filter(pc.greater(pc.list_value_length(records[column]), 0))
    if not found.num_rows:
        return {}
    names = pc.utf8_slice_codeunits(pc.list_flatten(found[column]), 0, MAX_NAME_CHARACTERS)
    places = _places(found).take(pc.list_parent_indices(found[column]))
    groups = (
        pa.table({"name": names, "place": places}).group_by("name").aggregate([("place", "count"), ("place", "min")])
    )
    rows = sorted(groups.to_pylist(), key=lambda row: (-row["place_count"], row["name"]))
    return {
        row["name"]: Occurrences(
            row["place_count"], row["place_min"] % MAX_PARTITIONS, row["place_min"] // MAX_PARTITIONS
        )
        for row in rows[:MAX_UNKNOWN_FIELDS]
    }


def latest_accepted(record_type: RecordType, records: pa.Table) -> pa.Table:
    """Return the latest accepted record of each key, with the columns of the cleaned table."""
    places = _places(records)
    keys = pa.table({"ind": records["ind"], "place": places}).filter(pc.is_null(records["rejection"]))
    last = keys.group_by("ind").aggregate([("place", "max")])["place_max"]
    columns = [column.name for column in (*record_type.columns, *SOURCE_POSITION)]
    return records.select(columns).filter(pc.is_in(places, last))


def has_any_key(table: Snapshot, keys: pa.ChunkedArray) -> bool:
    """Return whether a cleaned table has a row with one of these keys; only the column of the keys is read."""
    first, last = pc.min_max(keys).values()
    in_range = (pc.field("ind") >= first) & (pc.field("ind") <= last)
    scanner = table.delta.to_pyarrow_dataset().scanner(["ind"], filter=in_range, batch_size=KEYS_PER_LOOKUP)
    return any(pc.any(pc.is_in(batch["ind"], keys)).as_py() for batch in scanner.to_batches())


def quarantine_rows(record_type: RecordType, records: pa.Table) -> pa.Table:
    """Return the rejected records, with the columns of the quarantine."""
    rejected = records.filter(pc.is_valid(records["rejection"]))
    rows = rejected_rows(rejected.select([*POSITION, "bytes"]), rejected["rejection"], rules_version(record_type))
    rows = rows.append_column("replayed_in", pa.nulls(rows.num_rows, pa.int64()))
    return rows.select([column.name for column in TOPIC_QUARANTINE])


def _places(records: pa.Table) -> pa.ChunkedArray:
    """Return one number per record that orders the positions by offset and then by partition."""
    return pc.add(pc.multiply(records["source_offset"], MAX_PARTITIONS), records["source_partition"])
