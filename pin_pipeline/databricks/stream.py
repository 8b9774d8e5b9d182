"""Entry point of the wheel for a streaming job; its argument is the name of the job."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from pin_pipeline.streaming import job


def main() -> None:
    """Run the streaming job. If a query fails, the run fails, and Databricks starts the next one."""
    job.main(sys.argv[1], lambda _: SparkSession.builder.getOrCreate())
