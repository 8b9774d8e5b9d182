"""What every write to a Delta table has in common: its properties, and our metadata in the commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
from pyspark.sql import DataFrame, SparkSession

from pin_pipeline.storage.lake import PROPERTIES, Lake

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


def overwrite(frame: DataFrame, lake: Lake, key: str, metadata: str) -> None:
    """Replace a table's rows in one commit: readers see the old rows or the new ones."""
    writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
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
