"""Landed objects as lines with their source positions."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from pin_pipeline.landing.names import ObjectName

NAME = r"([^/]+)\+(\d+)\+(\d{10})\.json$"


def read_lines(spark: SparkSession, bucket: str, names: Sequence[ObjectName]) -> DataFrame:
    """Topic, partition, offset, `line` and original `bytes` of every record in the objects.

    `line` is null for what landing found to be no JSON. An object is read whole by one task: landing bounds it.
    """
    paths = [f"s3a://{bucket}/{name.key}" for name in names]
    body = F.when(F.endswith("value", F.lit("\n")), F.expr("left(value, length(value) - 1)")).otherwise(F.col("value"))
    path = F.col("_metadata.file_path")
    texts = spark.read.text(paths, wholetext=True).select(
        F.regexp_extract(path, NAME, 1).alias("topic"),
        F.regexp_extract(path, NAME, 2).cast("int").alias("partition"),
        F.regexp_extract(path, NAME, 3).cast("bigint").alias("first_offset"),
        F.startswith(path, F.lit(f"s3a://{bucket}/quarantine/")).alias("set_aside"),
        F.posexplode(F.split(body, "\n")).alias("number", "text"),
    )
    original = F.unbase64(F.get_json_object("text", "$.base64"))
    is_json = F.get_json_object("text", "$.json") == "true"
    return texts.select(
        "topic",
        "partition",
        (F.col("first_offset") + F.col("number")).alias("offset"),
        F.when(~F.col("set_aside"), F.col("text")).when(is_json, F.decode(original, "UTF-8")).alias("line"),
        F.when(F.col("set_aside"), original).otherwise(F.encode("text", "UTF-8")).alias("bytes"),
    )
