"""One local environment for the whole run of the tests; in it a prefix and a bucket of its own for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.local import jars, kinesis, ports, s3, servers
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.session import spark_conf


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's own environment is seen or touched: neither variables nor state."""
    with pytest.MonkeyPatch.context() as patch:
        # PIN_JARS is where the jars are cached, which the tests share with everything else.
        for name in os.environ.keys() - {"PIN_JARS"}:
            if name.startswith(("PIN_", "AWS_", "DAGSTER_")):
                patch.delenv(name)
        patch.setenv("PIN_HOME", str(tmp_path_factory.mktemp("home")))
        for server in servers.ADDRESSES:
            patch.setenv(f"PIN_{server.upper()}_PORT", str(ports.free()))
        yield


@pytest.fixture(scope="session")
def local_environment(clean_environment: None) -> Iterator[Settings]:  # noqa: ARG001 - only its effect is wanted
    """The real servers: Kafka, S3, Kinesis, Postgres, the gateway and the dashboard."""
    try:
        yield servers.up()
    finally:
        servers.down()


@pytest.fixture
def settings(local_environment: Settings) -> Settings:
    """Topics and a bucket that no other test knows."""
    name = f"t{uuid.uuid4().hex[:12]}"
    mine = replace(local_environment, prefix=name, bucket=name)
    # Streams only where they are wanted: see `streams`.
    create_topics(mine.kafka, [mine.topic(record_type) for record_type in RECORD_TYPES])
    s3.create_bucket(mine.s3_endpoint_url, mine.bucket)
    return mine


@pytest.fixture
def streams(settings: Settings) -> dict[str, str]:
    """The streams of the settings, by kind."""
    names = {record_type: settings.stream(record_type) for record_type in RECORD_TYPES}
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, names.values())
    return names


@pytest.fixture(scope="session")
def spark(local_environment: Settings) -> Iterator[SparkSession]:
    """One Spark session for all tests."""
    where = local_environment
    conf = spark_conf(jars.ensure("spark"), where.home, where.s3_endpoint_url, where.region)
    spark: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
    yield spark
    spark.stop()


@pytest.fixture
def session(spark: SparkSession) -> Callable[[], SparkSession]:
    """Spark as the code under test asks for it."""
    return lambda: spark
