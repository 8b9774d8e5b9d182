"""Baseline for the cleaning benchmarks: pins cleaned by a plain Spark notebook."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the conventional alias

SENTINELS = [
    "",
    "No Title Data Available",
    "No description available",
    "No description available Story format",
    "User Info Error",
    "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",
    "Image src error.",
]


def clean_pins(spark: SparkSession, folder: str, table: str, schema: str | None = None) -> None:
    """Clean all objects of a folder, and overwrite a Delta table with the rows.

    Args:
        spark: session to use.
        folder: URL of the folder.
        table: URL of the table.
        schema: schema of the JSON objects; inferred if missing.
    """
    reader = spark.read if schema is None else spark.read.schema(schema)
    pins = reader.json(folder)
    pins = pins.dropDuplicates().replace(dict.fromkeys(SENTINELS))
    pins = pins.withColumn("follower_count", F.regexp_replace("follower_count", "k", "000"))
    pins = pins.withColumn("follower_count", F.regexp_replace("follower_count", "M", "000000").cast("bigint"))
    pins = pins.withColumn("save_location", F.regexp_replace("save_location", "Local save in ", ""))
    pins = pins.withColumn("ind", F.col("index").cast("int"))
    pins = pins.select(
        "ind",
        "unique_id",
        "title",
        "description",
        "follower_count",
        "poster_name",
        "tag_list",
        "is_image_or_video",
        "image_src",
        "save_location",
        "category",
    )
    pins.write.format("delta").mode("overwrite").save(table)
