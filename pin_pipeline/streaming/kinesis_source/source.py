"""Spark data source `kinesis`, with the options and columns of Databricks' own, so that queries run on both."""

from __future__ import annotations

from pyspark.sql.datasource import DataSource, SimpleDataSourceStreamReader
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pin_pipeline.streaming.kinesis_source.options import KinesisOptions
from pin_pipeline.streaming.kinesis_source.reader import SCHEMA, KinesisReader


class KinesisSource(DataSource):
    """Registered with `spark.dataSource.register(KinesisSource)`, read with `spark.readStream.format("kinesis")`."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "kinesis"

    def schema(self) -> StructType:
        """Return the columns of https://docs.databricks.com/aws/en/connect/streaming/kinesis."""
        return from_arrow_schema(SCHEMA)

    def simpleStreamReader(self, schema: StructType) -> SimpleDataSourceStreamReader:  # noqa: ARG002, N802 - Spark's names
        """Return the reader of a query.

        Raises:
            ValueError: an option is unknown, missing or invalid.
        """
        return KinesisReader(KinesisOptions.parse(self.options))
