"""The queries of the streaming jobs."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline.environment import Settings
from pin_pipeline.streams.fleet import StreamingJob
from pin_pipeline.streams.pulse import watched


def start(job: StreamingJob, spark: SparkSession, settings: Settings) -> list[StreamingQuery]:  # noqa: ARG001
    """Start the queries of a job: one a table, called like it."""
    frame = watched(spark.readStream.format("rate").load(), F.col("timestamp"))
    return [frame.writeStream.format("noop").queryName(table).start() for table in job.tables]
