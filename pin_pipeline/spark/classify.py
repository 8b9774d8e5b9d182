"""Classification of records on Spark, as Arrow user-defined functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.functions import ArrowUDFType, arrow_udf

from pin_pipeline.records import RecordType
from pin_pipeline.records.classify import classification_ddl, classify_values
from pin_pipeline.storage.object_format import decode_values

POSITION = ("topic", "partition", "offset")


def classify_objects(record_type: RecordType, objects: DataFrame) -> DataFrame:
    """Classify the records of landed objects; the result has one row per record.

    Args:
        record_type: the type the records should have.
        objects: columns area, topic, partition, first_offset and content.

    Returns:
        The columns topic, partition and offset, and the fields of `classification_ddl`.
    """
    ddl = classification_ddl(record_type)

    def classify_contents(areas: pa.Array, contents: pa.Array) -> pa.Array:
        objects = zip(areas.to_pylist(), contents.to_pylist(), strict=True)
        values = [decode_values(area, content) for area, content in objects]
        ends = pa.array(accumulate(map(len, values), initial=0), pa.int32())
        return pa.ListArray.from_arrays(ends, classify_values(record_type, chain.from_iterable(values)))

    classified = objects.withColumn(
        "outcomes", arrow_udf(classify_contents, f"array<{ddl}>", ArrowUDFType.SCALAR)("area", "content")
    )
    # Not posexplode: Spark adds a filter to it that classifies every record a second time.
    records = classified.select("*", F.posexplode_outer("outcomes").alias("number", "outcome"))
    return records.withColumn("offset", F.col("first_offset") + F.col("number")).select(*POSITION, "outcome.*")


def classify(record_type: RecordType, records: DataFrame, position: Sequence[str] = POSITION) -> DataFrame:
    """Classify records.

    Args:
        record_type: the type the records should have.
        records: position columns, and the raw record in the column `bytes`.
        position: names of the position columns.

    Returns:
        The position columns and the fields of `classification_ddl`.
    """

    def classify_bytes(values: pa.Array) -> pa.Array:
        return classify_values(record_type, values.to_pylist())

    outcome = arrow_udf(classify_bytes, classification_ddl(record_type), ArrowUDFType.SCALAR)("bytes")
    return records.select(*position, outcome.alias("outcome")).select(*position, "outcome.*")


def warm_up(record_type: RecordType, spark: SparkSession) -> None:
    """Start a Python worker, which takes one or two seconds, by classifying an empty record."""
    classify(record_type, spark.range(1).selectExpr("binary('') as bytes"), ()).collect()
