"""Plain Spark programs that clean the three record types: the peers of the cleaning benchmarks.

They do less than the pipeline. Rejected records are dropped, and there is no quarantine, statistics, source position or
progress.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, SparkSession
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
PIN_SCHEMA = """
    index int, unique_id string, title string, description string, poster_name string, follower_count string,
    tag_list string, is_image_or_video string, image_src string, downloaded int, save_location string, category string
"""
GEO_SCHEMA = "ind int, timestamp string, latitude double, longitude double, country string"
USER_SCHEMA = "ind int, first_name string, last_name string, age int, date_joined string"


def session(s3_endpoint_url: str | None, jars: str) -> SparkSession:
    """Start a local session with the settings that Delta and S3 need, and few partitions for few cores."""
    conf: dict[str, bool | float | int | str | None] = {
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.hadoop.fs.s3a.endpoint": s3_endpoint_url or "",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": "test",
        "spark.hadoop.fs.s3a.secret.key": "test",
        "spark.log.level": "ERROR",
        "spark.ui.showConsoleProgress": "false",
    }
    return SparkSession.builder.master("local[*]").config(map=conf).getOrCreate()


def clean_pins(spark: SparkSession, folder: str, table: str, schema: str | None = PIN_SCHEMA) -> None:
    """Clean all pins of a folder, and overwrite a Delta table with the rows.

    Args:
        spark: session to use.
        folder: URL of the folder.
        table: URL of the table.
        schema: schema of the JSON objects; None to infer it.
    """
    pins = _read(spark, folder, schema).replace(dict.fromkeys(SENTINELS))
    pins = pins.where(F.col("follower_count").isNull() | F.col("follower_count").rlike("^[0-9]+[kM]?$"))
    pins = pins.withColumn("follower_count", F.regexp_replace("follower_count", "k", "000"))
    pins = pins.withColumn("follower_count", F.regexp_replace("follower_count", "M", "000000").cast("bigint"))
    pins = pins.withColumn("save_location", F.regexp_replace("save_location", "Local save in ", ""))
    pins = pins.withColumn("ind", F.col("index").cast("int"))
    columns = (
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
    _write(pins.select(*columns), table)


def clean_geolocations(spark: SparkSession, folder: str, table: str) -> None:
    """Clean all geolocations of a folder, and overwrite a Delta table with the rows."""
    geolocations = _read(spark, folder, GEO_SCHEMA)
    geolocations = geolocations.where("latitude between -90 and 90 and longitude between -180 and 180")
    coordinates = F.array("latitude", "longitude").alias("coordinates")
    _write(geolocations.select("ind", "country", coordinates, _time("timestamp")), table)


def clean_users(spark: SparkSession, folder: str, table: str) -> None:
    """Clean all users of a folder, and overwrite a Delta table with the rows."""
    users = _read(spark, folder, USER_SCHEMA).where("age between 0 and 150")
    name = F.concat_ws(" ", "first_name", "last_name").alias("user_name")
    _write(users.select("ind", name, "age", _time("date_joined")), table)


CLEAN: dict[str, Callable[[SparkSession, str, str], None]] = {
    "pin": clean_pins,
    "geo": clean_geolocations,
    "user": clean_users,
}
"""Program that cleans each record type."""


def _read(spark: SparkSession, folder: str, schema: str | None) -> DataFrame:
    reader = spark.read if schema is None else spark.read.schema(schema)
    return reader.json(folder).dropDuplicates()


def _time(name: str) -> Column:
    return F.to_timestamp(name).alias(name)


def _write(rows: DataFrame, table: str) -> None:
    rows.write.format("delta").mode("overwrite").save(table)
