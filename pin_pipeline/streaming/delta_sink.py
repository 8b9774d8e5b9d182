"""Sink from a stream into Delta: accepted records are published, rejected ones quarantined, each exactly once.

Spark classifies the records. The driver, which has fetched them from the stream anyway, commits them with delta-rs, in
a fifth of the time that Spark's own commit takes. The commits are conditional puts, so that of two concurrent writers
only one creates a version, on any S3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame

from pin_pipeline.quarantine.rejected_rows import rejected_rows
from pin_pipeline.quarantine.schema import STREAM_QUARANTINE
from pin_pipeline.records import Column, RecordType
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.records.rules_version import rules_version
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.shard_progress import ClassifiedBatch
from pin_pipeline.streaming.stream_table import StreamTable


class DeltaSink:
    """Sink for the micro-batches of one record type, to be passed to `foreachBatch`."""

    def __init__(self, lake: Lake, record_type: RecordType, stream: tuple[str, int]) -> None:
        columns = (*record_type.columns, *STREAM_POSITION)
        self._record_type = record_type
        self._published = StreamTable(lake, f"streams/{record_type.name}", columns, stream, _accepted(columns))
        self._quarantine = StreamTable(
            lake,
            f"quarantine/streams/{record_type.name}",
            STREAM_QUARANTINE,
            stream,
            _rejected(rules_version(record_type)),
        )

    @property
    def identity(self) -> str:
        """IDs of both tables; a checkpoint is valid for these tables only."""
        return f"{self._published.identity}-{self._quarantine.identity}"

    def __call__(self, batch: DataFrame, _number: int) -> None:
        """Classify and write a micro-batch with the columns `STREAM_POSITION` and `bytes`."""
        self.write(classify(self._record_type, batch, [column.name for column in STREAM_POSITION]).toArrow())

    def write(self, classified: pa.Table) -> None:
        """Write records that `classify` returned."""
        # Quarantine first: the published table's progress must not be ahead of the quarantine.
        batch = ClassifiedBatch(classified)
        self._quarantine.append(batch, commit_empty=False)
        self._published.append(batch, commit_empty=True)


def _accepted(columns: Sequence[Column]) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in columns]
    return lambda classified: classified.filter(classified["rejection"].is_null()).select(names)


def _rejected(version: str) -> Callable[[pa.Table], pa.Table]:
    names = [column.name for column in STREAM_QUARANTINE]

    def select_rows(classified: pa.Table) -> pa.Table:
        records = classified.filter(classified["rejection"].is_valid())
        return rejected_rows(records, records["rejection"].combine_chunks(), version).select(names)

    return select_rows
