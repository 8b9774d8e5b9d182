"""The peer of cleaning: pins as a plain Spark notebook cleans them."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark programmer reads

NOTHING = [
    "",
    "No Title Data Available",
    "No description available",
    "No description available Story format",
    "User Info Error",
    "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",
    "Image src error.",
]


def clean_pins(spark: SparkSession, folder: str, table: str, schema: str | None = None) -> None:
    """Read all objects in a folder, and overwrite a Delta table with their clean rows; infers a schema not given."""
    reader = spark.read if schema is None else spark.read.schema(schema)
    pins = reader.json(folder)
    pins = pins.dropDuplicates().replace(dict.fromkeys(NOTHING))
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
