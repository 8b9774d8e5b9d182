"""Classification of records on Spark, as Arrow user-defined functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name every Spark programmer reads
from pyspark.sql.pandas.functions import ArrowUDFType, arrow_udf

from pin_pipeline.records import RecordType
from pin_pipeline.records.classify import classification_ddl, classify_values
from pin_pipeline.storage.object_format import values_in

POSITION = ("topic", "partition", "offset")


def classify_objects(record_type: RecordType, objects: DataFrame) -> DataFrame:
    """Classify the records of landed objects, one row per record.

    Args:
        record_type: the type the records should have.
        objects: area, topic, partition, first_offset and `content`.

    Returns:
        Topic, partition, offset and the fields of `classification_ddl`.
    """
    ddl = classification_ddl(record_type)

    def classify_contents(areas: pa.Array, contents: pa.Array) -> pa.Array:
        objects = zip(areas.to_pylist(), contents.to_pylist(), strict=True)
        values = [values_in(area, content) for area, content in objects]
        ends = pa.array(accumulate(map(len, values), initial=0), pa.int32())
        return pa.ListArray.from_arrays(ends, classify_values(record_type, chain.from_iterable(values)))

    classified = objects.withColumn(
        "outcomes", arrow_udf(classify_contents, f"array<{ddl}>", ArrowUDFType.SCALAR)("area", "content")
    )
    # The outer variant: for the inner one Spark adds a filter that classifies everything a second time.
    records = classified.select("*", F.posexplode_outer("outcomes").alias("number", "outcome"))
    return records.withColumn("offset", F.col("first_offset") + F.col("number")).select(*POSITION, "outcome.*")


def classify(record_type: RecordType, records: DataFrame, position: Sequence[str] = POSITION) -> DataFrame:
    """Classify records given by their position columns and `bytes`; returns the same columns as `classify_objects`."""

    def classify_bytes(values: pa.Array) -> pa.Array:
        return classify_values(record_type, values.to_pylist())

    outcome = arrow_udf(classify_bytes, classification_ddl(record_type), ArrowUDFType.SCALAR)("bytes")
    return records.select(*position, outcome.alias("outcome")).select(*position, "outcome.*")


def warm_up(record_type: RecordType, spark: SparkSession) -> None:
    """Classify one empty record, so that Spark has started a Python worker, which takes a second or two."""
    classify(record_type, spark.range(1).selectExpr("binary('') as bytes"), ()).collect()
