"""The `kinesis` source for Spark without one: the same options and columns as Databricks' own, so the same query."""

from __future__ import annotations

from pyspark.sql.datasource import DataSource, SimpleDataSourceStreamReader
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pin_pipeline.streaming.kinesis_source.options import Options
from pin_pipeline.streaming.kinesis_source.reader import SCHEMA, KinesisReader


class KinesisSource(DataSource):
    """Registered by `spark.dataSource.register(KinesisSource)`, read by `spark.readStream.format("kinesis")`."""

    @classmethod
    def name(cls) -> str:
        """What the source is called in a query."""
        return "kinesis"

    def schema(self) -> StructType:
        """The columns of https://docs.databricks.com/aws/en/connect/streaming/kinesis."""
        return from_arrow_schema(SCHEMA)

    def simpleStreamReader(self, schema: StructType) -> SimpleDataSourceStreamReader:  # noqa: ARG002, N802 - Spark's names
        """The reader of a query.

        Raises:
            ValueError: an option is none of those that are allowed.
        """
        return KinesisReader(Options.of(self.options))
