"""Creating, merging into and replacing Delta tables, with our metadata in the commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.records import Column

# What every Delta reader can read: no deletion vectors, no column mapping.
PROPERTIES = {"delta.minReaderVersion": "1", "delta.minWriterVersion": "2", "delta.enableDeletionVectors": "false"}
# A commit bears the number of its batch under this name; Delta lets no two commits bear the same.
APPLICATION = "pin_pipeline"
# Another writer committed first. Delta's Python errors have no base of their own.
CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)


def ensure(spark: SparkSession, lake: Lake, key: str, columns: Sequence[Column], metadata: str = "{}") -> DeltaTable:
    """The table; where there is none, it is made first, by a commit that carries `metadata`."""
    path = lake.path(key)
    if lake.version(key) is None:
        builder = DeltaTable.createIfNotExists(spark).location(path)
        for name, value in PROPERTIES.items():
            builder = builder.property(name, value)
        for column in columns:
            builder = builder.addColumn(column.name, column.type, comment=column.description)
        with commit_metadata(spark, metadata), suppress(*CONFLICTS):  # it is there now
            builder.execute()
    return DeltaTable.forPath(spark, path)


def overwrite(frame: DataFrame, lake: Lake, key: str, metadata: str) -> None:
    """Replace a table's rows in one commit: readers see the old rows or the new ones."""
    writer = frame.coalesce(1).write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    for name, value in PROPERTIES.items():
        writer = writer.option(name, value)
    writer.option("userMetadata", metadata).save(lake.path(key))


@contextmanager
def commit_metadata(spark: SparkSession, metadata: str, batch: int | None = None) -> Iterator[None]:
    """Commits of this session inside the block carry `metadata`, and succeed once only for a `batch`."""
    settings = {"spark.databricks.delta.commitInfo.userMetadata": metadata}
    if batch is not None:
        settings |= {
            "spark.databricks.delta.write.txnAppId": APPLICATION,
            "spark.databricks.delta.write.txnVersion": str(batch),
        }
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name in settings:
            spark.conf.unset(name)
