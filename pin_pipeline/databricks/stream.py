"""A streaming job on its cluster, an entry point of the project's wheel, called with the job's name."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from pin_pipeline.streaming import job


def main() -> None:
    """Run the streaming job; where one of its queries fails, the run fails, and Databricks starts the next."""
    job.main(sys.argv[1], lambda _: SparkSession.builder.getOrCreate())
