"""Writes to Delta tables by Spark: table properties and commit metadata."""

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

from pin_pipeline.storage.delta_commits import APPLICATION
from pin_pipeline.storage.lake import PROPERTIES, Lake

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
"""Errors of a commit that lost against a concurrent one; Delta's Python API has no common base class for them."""


def overwrite(frame: DataFrame, lake: Lake, key: str, metadata: str) -> None:
    """Replace the rows of a table in one commit.

    Args:
        frame: new rows.
        lake: location of the table.
        key: asset key of the table.
        metadata: user metadata of the commit.
    """
    writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    for name, value in PROPERTIES.items():
        writer = writer.option(name, value)
    writer.option("userMetadata", metadata).save(lake.path(key))


@contextmanager
def commit_metadata(spark: SparkSession, metadata: str, batch: int | None = None) -> Iterator[None]:
    """Set the metadata of the session's commits in this context.

    Args:
        spark: the session.
        metadata: user metadata of the commits.
        batch: number of the batch, which can be committed only once; None for no such limit.
    """
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
