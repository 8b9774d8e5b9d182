"""Plain PySpark script of the daily batch: the peer of `benchmarks.daily_batch`.

It reads all landed objects, cleans the three record types, overwrites three Delta tables, and runs the ten queries. It
has no landing, quarantine, progress, checks or reports.
"""

from __future__ import annotations

import sys

from benchmarks import plain_spark
from pin_pipeline.batch.queries import QUERIES, functions_sql


def main(jars: str, s3_endpoint_url: str, objects: str, tables: str) -> None:
    """Clean the objects and run the queries.

    Args:
        jars: folder of Spark's additional jars.
        s3_endpoint_url: endpoint of S3.
        objects: URL of the landed objects, up to the name of the record type.
        tables: URL of the folder of the tables.
    """
    spark = plain_spark.session(s3_endpoint_url, jars)
    for record_type, clean in plain_spark.CLEAN.items():
        table = f"{tables}/cleaned/{record_type}"
        clean(spark, f"{objects}{record_type}/partition=*", table)
        spark.read.format("delta").load(table).createOrReplaceTempView(record_type)
    spark.sql(functions_sql())
    for query in QUERIES.values():
        spark.sql(query.sql).write.format("delta").mode("overwrite").save(f"{tables}/{query.key}")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
