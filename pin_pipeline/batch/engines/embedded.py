"""Embedded engine: Arrow and delta-rs in this process, without a Spark session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from arro3.core import RecordBatchReader
from deltalake import CommitProperties, QueryBuilder, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.table import TableMerger

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded_records import (
    POSITION,
    classify_objects,
    classify_rows,
    collect_batch_stats,
    has_any_key,
    latest_accepted,
    quarantine_rows,
)
from pin_pipeline.batch.parallel import check_interrupted
from pin_pipeline.batch.queries import Query
from pin_pipeline.quarantine.schema import TOPIC_QUARANTINE, topic_quarantine_key
from pin_pipeline.records import RecordType
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.storage.delta_commits import commit_properties, require_next_batch
from pin_pipeline.storage.delta_snapshot import Snapshot
from pin_pipeline.storage.lake import PROPERTIES, Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import BatchStats, CleaningProgress
from pin_pipeline.storage.protocol import check_protocol

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_BATCH_BYTES = 48 * 2**20
"""Size of the objects of one batch. Three tables at once then take 750 MiB for any number of new keys."""

WRITER = WriterProperties(max_row_group_size=2**16, compression="SNAPPY")
"""Row groups are held in memory until they are complete. The default of 2^20 rows took 190 MiB more in a merge."""

ONE_MERGE = Lock()
"""Cleaned tables are merged one after another: each merge uses all cores, and hundreds of MiB of memory."""

SAME_POSITION = " and ".join(f"t.{name} = s.{name}" for name in POSITION)
IS_LATER = (
    "s.source_offset > t.source_offset "
    "or (s.source_offset = t.source_offset and s.source_partition > t.source_partition)"
)


class EmbeddedEngine(BatchEngine[pa.Table]):
    """Executes the steps with Arrow tables and delta-rs, for work that fits into the memory of one process.

    Each commit is made on the version that the step has read, and fails if another writer has committed first.
    """

    name = "embedded"
    conflicts = (CommitFailedError,)
    max_batch_bytes = MAX_BATCH_BYTES

    def __init__(self) -> None:
        self._connections: set[DuckDBPyConnection] = set()

    def cancel(self) -> None:
        """Interrupt the running queries; a merge cannot be interrupted."""
        for connection in tuple(self._connections):
            connection.interrupt()

    @contextmanager
    def classify_objects(
        self, record_type: RecordType, store: ObjectStore, names: Sequence[ObjectName]
    ) -> Iterator[pa.Table]:
        """Read and classify landed objects."""
        yield classify_objects(record_type, store, names)

    @contextmanager
    def classify_quarantine(self, record_type: RecordType, lake: Lake) -> Iterator[pa.Table]:
        """Classify the records in the quarantine of a topic."""
        columns = ", ".join([*POSITION, "bytes"])
        quarantine = lake.require(topic_quarantine_key(record_type.name))
        yield classify_rows(record_type, quarantine.query(f"select {columns} from t"))  # noqa: S608

    def collect_stats(self, records: pa.Table) -> BatchStats:
        """Count the records."""
        return collect_batch_stats(records)

    def add_to_quarantine(self, record_type: RecordType, lake: Lake, records: pa.Table) -> None:
        """Add rejected records that the quarantine does not have yet."""
        rows = quarantine_rows(record_type, records)
        first = pc.min(rows["source_offset"]).as_py()
        lake.ensure_table(topic_quarantine_key(record_type.name), TOPIC_QUARANTINE, PROPERTIES, metadata="{}")
        table = _load(lake, topic_quarantine_key(record_type.name))
        merge = _merge(table, rows, f"{SAME_POSITION} and t.source_offset >= {first}", commit_properties())
        merge.when_not_matched_insert_all().execute()

    def update_quarantine(self, record_type: RecordType, lake: Lake, records: pa.Table, batch: int) -> None:
        """Store the outcome of a re-validation."""
        version = f"'{rules_version(record_type)}'"
        rejection = {name: f"s.{name}" for name in ("reason", "field", "value")} | {"rules_version": version}
        names = [*POSITION, *(name for name in rejection if name != "rules_version"), "is_accepted"]
        columns = [
            *(records[name] for name in POSITION),
            *records["rejection"].flatten(),
            pc.is_null(records["rejection"]),
        ]
        table = _load(lake, topic_quarantine_key(record_type.name))
        merge = _merge(table, pa.table(columns, names), SAME_POSITION, commit_properties())
        merge = merge.when_matched_update({"replayed_in": f"cast({batch} as bigint)"}, "s.is_accepted")
        merge.when_matched_update(rejection, f"t.rules_version != {version}").execute()

    def remove_published(self, record_type: RecordType, lake: Lake, progress: CleaningProgress) -> None:
        """Remove the records that the last replay has published."""
        table = _load(lake, topic_quarantine_key(record_type.name)).delta
        table.delete(f"not ({progress.in_quarantine})", commit_properties=commit_properties())

    def publish(
        self, record_type: RecordType, lake: Lake, records: pa.Table, progress: CleaningProgress, accepted: int
    ) -> None:
        """Publish the latest accepted record of each key."""
        table = _load_next(lake, record_type, progress)
        latest = latest_accepted(record_type, records)
        properties, version = commit_properties(progress.metadata(accepted), progress.batch), table.version
        if latest.num_rows and has_any_key(table, latest["ind"]):
            first, last = pc.min_max(latest["ind"]).as_py().values()
            # With the range, delta-rs skips the files whose keys are out of it.
            same_key = f"t.ind = s.ind and t.ind between {first} and {last}"
            with ONE_MERGE:
                check_interrupted()
                merge = _merge(table, latest, same_key, properties)
                merge.when_matched_update_all(IS_LATER).when_not_matched_insert_all().execute()
            latest = latest.slice(0, 0)
        # If all keys are new, the existing rows need not be read. A merge that changes no row makes no commit.
        if table.version == version:
            write_deltalake(
                table.delta,
                latest,
                mode="append",
                schema_mode="merge",  # columns that another writer has added are null in the new rows
                writer_properties=WRITER,
                commit_properties=properties,
            )

    def replace_quarantine(self, record_type: RecordType, lake: Lake, staging: Lake) -> None:
        """Replace the quarantine by the one in the staging area."""
        key = topic_quarantine_key(record_type.name)
        table, rows = _load(lake, key), staging.require(key)
        columns = ", ".join(
            f"coalesce(t.first_seen, s.first_seen) as {column.name}"
            if column.name == "first_seen"
            else f"s.{column.name}"
            for column in TOPIC_QUARANTINE
        )
        joined = f"select {columns} from s left join t on {SAME_POSITION}"  # noqa: S608
        builder = QueryBuilder().register("t", lake.require(key).delta).register("s", rows.delta)
        _overwrite(table, builder.execute(joined), rows, metadata="{}")

    def replace_cleaned(self, record_type: RecordType, lake: Lake, staging: Lake, progress: CleaningProgress) -> None:
        """Replace the cleaned table by the one in the staging area."""
        table, rows = _load_next(lake, record_type, progress), staging.require(_cleaned_key(record_type))
        result = QueryBuilder().register("s", rows.delta).execute("select * from s")
        _overwrite(table, result, rows, progress.metadata(accepted=rows.rows), progress.batch)

    def run_query(self, lake: Lake, query: Query, versions: dict[str, int], metadata: str) -> None:
        """Replace the result table of a query."""
        from pin_pipeline.batch.engines import embedded_queries  # noqa: PLC0415 - cleaning needs no SQL engine

        embedded_queries.run_query(lake, query, versions, metadata, self._connections)


def _cleaned_key(record_type: RecordType) -> str:
    return f"cleaned/{record_type.name}"


def _load(lake: Lake, key: str) -> Snapshot:
    """Open the current version of a table to commit on it."""
    table = lake.load(key)
    check_protocol(table)
    return table


def _load_next(lake: Lake, record_type: RecordType, progress: CleaningProgress) -> Snapshot:
    """Open the version of a cleaned table that this progress follows, to commit on it."""
    table = _load(lake, _cleaned_key(record_type))
    require_next_batch(table, CleaningProgress.of(table).batch, progress.batch)
    return table


def _merge(table: Snapshot, rows: pa.Table, condition: str, properties: CommitProperties) -> TableMerger:
    """Begin a merge into a table (`t`) of the rows of another one (`s`)."""
    # With streaming, delta-rs holds the rows in memory and streams the table. Without, it may do the reverse: for 1,000
    # rows and a table of 98 MiB, that took 970 MiB of memory instead of 270 MiB.
    return table.delta.merge(
        rows,
        condition,
        source_alias="s",
        target_alias="t",
        streamed_exec=True,
        writer_properties=WRITER,
        commit_properties=properties,
    )


def _overwrite(
    table: Snapshot, rows: RecordBatchReader, staged: Snapshot, metadata: str, batch: int | None = None
) -> None:
    """Replace the rows and the schema of a table by those of a staged one, without reading them all into memory."""
    schema = pa.schema(staged.delta.schema())
    write_deltalake(
        table.delta,
        pa.RecordBatchReader.from_stream(rows).cast(schema),
        mode="overwrite",
        schema_mode="overwrite",
        writer_properties=WRITER,
        commit_properties=commit_properties(metadata, batch),
    )
