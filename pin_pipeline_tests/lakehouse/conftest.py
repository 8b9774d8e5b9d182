"""One Spark session for all tests of the lakehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.session import spark_conf
from pin_pipeline.local import jars


@pytest.fixture(scope="session")
def spark(local_environment: Settings) -> Iterator[SparkSession]:
    where = local_environment
    conf = spark_conf(jars.ensure("spark"), where.home, where.s3_endpoint_url, where.region)
    spark: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
    yield spark
    spark.stop()


@pytest.fixture
def session(spark: SparkSession) -> Callable[[], SparkSession]:
    return lambda: spark
