"""Fixtures for all tests: one local environment per test run, and a prefix and a bucket per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.local import jars, kinesis, ports, s3, servers
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.session import spark_conf, streaming_conf
from pin_pipeline_tests.helpers.command_line import CommandLine, new_command_line

FILE_SYSTEM = "spark.hadoop.fs.file.impl"
"""Setting that cannot be changed when the session has been created."""
NO_CODE_GENERATION = {"spark.sql.codegen.factoryMode": "NO_CODEGEN"}
"""Each task of a small table would generate code for its projections, which takes a fifth of the CPU time.

The code of whole stages is still generated. Sessions in other processes have the settings of the product.
"""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all modules that use the Spark session in one worker, and keep the tests of every other module in one worker.

    A new session takes half a minute of CPU time until it is as fast as it gets.
    """
    spark_modules = {_module(item) for item in items if _uses_spark_session(item)}
    for item in items:
        group = "spark" if _module(item) in spark_modules else _module(item)
        item.add_marker(pytest.mark.xdist_group(group))


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _uses_spark_session(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    return "spark" in item.fixturenames or (hasattr(item, "callspec") and "spark" in item.callspec.params.values())


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate the tests from the variables and the local state of the developer."""
    with pytest.MonkeyPatch.context() as patch:
        # PIN_JARS is the jar cache, which is not part of the state.
        for name in os.environ.keys() - {"PIN_JARS"}:
            if name.startswith(("PIN_", "AWS_", "DAGSTER_")):
                patch.delenv(name)
        # For clients that tests create; those of the pipeline need no credentials for local endpoints.
        patch.setenv("AWS_ACCESS_KEY_ID", "local")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("PIN_HOME", str(tmp_path_factory.mktemp("home")))
        for server in servers.ADDRESSES:
            patch.setenv(f"PIN_{server.upper()}_PORT", str(ports.free_port()))
        yield


@pytest.fixture(scope="session")
def local_environment(clean_environment: None) -> Iterator[Settings]:  # noqa: ARG001 - used for its side effect
    """Start the real servers: Kafka, S3, Kinesis, Postgres, the gateway and the dashboard."""
    try:
        yield servers.up()
    finally:
        servers.down()


@pytest.fixture
def lake_settings(local_environment: Settings) -> Settings:
    """Create a bucket that no other test uses."""
    name = f"t{uuid.uuid4().hex[:12]}"
    s3.create_bucket(local_environment.s3_endpoint_url, name)
    return local_environment.model_copy(update={"prefix": name, "bucket": name})


@pytest.fixture
def settings(lake_settings: Settings) -> Settings:
    """Create topics and a bucket that no other test uses; streams are created by the fixture `streams`."""
    create_topics(lake_settings.kafka, [lake_settings.topic(record_type) for record_type in RECORD_TYPES])
    return lake_settings


@pytest.fixture
def streams(settings: Settings) -> dict[str, str]:
    """Create the streams of the settings, and return their names by record type."""
    names = {record_type: settings.stream(record_type) for record_type in RECORD_TYPES}
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, names.values())
    return names


@pytest.fixture(scope="session")
def streaming_settings(local_environment: Settings) -> dict[str, str]:
    """Return the Spark settings of the streaming jobs."""
    environment = local_environment
    return streaming_conf(jars.ensure("spark"), environment.home, environment.s3_endpoint_url, environment.region)


@pytest.fixture(scope="session")
def spark(local_environment: Settings, streaming_settings: dict[str, str]) -> Iterator[SparkSession]:
    """Create one Spark session for all tests: that of the batch, with the local file system of the streaming jobs."""
    environment = local_environment
    conf = spark_conf(jars.ensure("spark"), environment.home, environment.s3_endpoint_url, environment.region)
    conf[FILE_SYSTEM] = streaming_settings[FILE_SYSTEM]
    conf |= NO_CODE_GENERATION
    spark: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
    yield spark
    spark.stop()


@pytest.fixture(scope="session")
def streaming_session(spark: SparkSession, streaming_settings: dict[str, str]) -> SparkSession:
    """Session with the SQL settings of the streaming jobs.

    All tests of the Kinesis source share it: Spark refuses to register the source in a second session.
    """
    session = spark.newSession()
    for name, value in streaming_settings.items():
        if name.startswith("spark.sql.") and session.conf.isModifiable(name):
            session.conf.set(name, value)
    return session


@pytest.fixture
def session(spark: SparkSession) -> Callable[[], SparkSession]:
    """Return the session factory that the code under test expects."""
    return lambda: spark


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    """Provide commands in a home without running servers."""
    with new_command_line(tmp_path) as command_line:
        yield command_line


@pytest.fixture
def spark_engine(session: Callable[[], SparkSession]) -> SparkEngine:
    """Return the Spark engine."""
    return SparkEngine(session)


@pytest.fixture
def embedded_engine() -> EmbeddedEngine:
    """Return the embedded engine."""
    return EmbeddedEngine()


@pytest.fixture
def engine(embedded_engine: EmbeddedEngine) -> BatchEngine[Any]:
    """Return the batch engine of tests whose subject is not the batch; `batch/conftest.py` returns both."""
    return embedded_engine
