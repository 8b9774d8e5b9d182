"""Process of a local streaming job: `python -m pin_pipeline.local.streaming_process NAME`."""

from __future__ import annotations

import logging
import sys

from pyspark.sql import SparkSession

from pin_pipeline.local import jars
from pin_pipeline.local.open_files import allow_many_open_files
from pin_pipeline.settings import Settings
from pin_pipeline.spark.session import streaming_conf
from pin_pipeline.streaming import job


def create_session(settings: Settings) -> SparkSession:
    """Create a Spark session in local mode, configured for long-running queries."""
    allow_many_open_files()
    conf = streaming_conf(jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    builder = SparkSession.builder
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    job.main(sys.argv[1], create_session)
