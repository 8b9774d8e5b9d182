"""Reader of landed objects for Spark, with the positions that their names contain."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.storage.object_keys import AREAS, ObjectName

OBJECT_KEY = rf"({'|'.join(AREAS)})/[^/]+/partition=\d+/([^/]+)\+(\d+)\+(\d{{10}})\.json$"


def read_objects(spark: SparkSession, bucket: str, names: Sequence[ObjectName]) -> DataFrame:
    """Read landed objects.

    Each object is read by one task; landing limits its size.

    Returns:
        The columns area, topic, partition, first_offset and content, one row per object.
    """
    area, topic, partition, first_offset = (F.regexp_extract("path", OBJECT_KEY, group) for group in range(1, 5))
    objects = spark.read.format("binaryFile").load([f"s3a://{bucket}/{name.key}" for name in names])
    return objects.select(
        area.alias("area"),
        topic.alias("topic"),
        partition.cast("int").alias("partition"),
        first_offset.cast("bigint").alias("first_offset"),
        "content",
    )
