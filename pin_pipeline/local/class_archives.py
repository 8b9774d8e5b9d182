"""Archives of the classes of Kafka and Spark (AppCDS), which make them start faster.

A JVM maps an archive instead of loading and verifying thousands of classes one by one, which is a fifth of the time of
a Spark process that does little, and a third of the start of Kafka. Spark's archive is recorded while a small daily
batch and a streaming query run. Java ignores an archive if it is another Java, or if a jar has changed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from pin_pipeline.aws import clients
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.emulator import synthetic
from pin_pipeline.local import jars, kafka, kinesis, ports, s3
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess, ServerSpec
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.conf import BATCH_JVM_OPTIONS, CLASS_ARCHIVE
from pin_pipeline.spark.session import spark_conf, streaming_conf
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_format import TopicRecord, chunk_records
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming import queries
from pin_pipeline.streaming.jobs import STREAMING_JOBS

RECORDS_PER_TOPIC = 50


def main() -> None:
    """Record both archives, replacing existing ones.

    Raises:
        LocalError: a prerequisite is missing, or Java did not write an archive.
    """
    kafka.CLASS_ARCHIVE.unlink(missing_ok=True)  # Kafka would use it, and Java records none while it uses one
    with _recording(kafka.CLASS_ARCHIVE) as option, tempfile.TemporaryDirectory() as folder:
        broker = kafka.server(Path(folder), ports.free_port())
        recorded = replace(broker, environment={**broker.environment, "JAVA_TOOL_OPTIONS": option})
        with _running(Path(folder), recorded):
            pass  # its start loads most of its classes
    with _recording(CLASS_ARCHIVE) as option, _endpoints() as settings:
        _run_workload(settings, option)


@contextmanager
def _recording(archive: Path) -> Iterator[str]:
    """Yield the option with which a JVM records its classes when it ends, and put the archive in place afterwards."""
    unfinished = archive.with_suffix(".new")
    yield f"-XX:ArchiveClassesAtExit={unfinished}"
    if not unfinished.exists():
        raise LocalError(f"Java did not write {unfinished}: check the free disk space")
    unfinished.replace(archive)  # atomically: a JVM that maps a partial archive crashes


@contextmanager
def _running(home: Path, *servers: ServerSpec) -> Iterator[None]:
    """Run servers during the block."""
    with ExitStack() as running:
        for server in servers:
            process = ServerProcess(home, server.name)
            process.start(server)
            running.callback(process.stop)
            process.wait_until_ready(server)
        yield


@contextmanager
def _endpoints() -> Iterator[Settings]:
    """Start temporary S3 and Kinesis endpoints, and yield settings that use them."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        servers = [s3.server(home, ports.free_port()), kinesis.server(home, ports.free_port())]
        with _running(home, *servers):
            yield Settings.load().model_copy(
                update={
                    "home": home,
                    "checkpoints": (home / "checkpoints").as_uri(),
                    "s3_endpoint_url": servers[0].address,
                    "kinesis_endpoint_url": servers[1].address,
                }
            )


def _run_workload(settings: Settings, java_option: str) -> None:
    arguments = (jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    conf: dict[str, Any] = spark_conf(*arguments)
    conf["spark.driver.extraJavaOptions"] = " ".join((*BATCH_JVM_OPTIONS, java_option))
    spark = SparkSession.builder.config(map=conf).getOrCreate()
    s3.create_bucket(settings.s3_endpoint_url, settings.bucket)
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    topics = {settings.topic(name): record_type for name, record_type in RECORD_TYPES.items()}
    for topic, record_type in topics.items():
        _land_records(store, topic, record_type.name)
    engine = SparkEngine(lambda: spark)
    list(clean_topics(engine, lake, store, topics))
    list(run_queries(engine, lake, list(QUERIES.values())))
    for name, value in streaming_conf(*arguments).items() - conf.items():
        if name.startswith("spark.sql."):
            spark.conf.set(name, value)
    _run_stream(spark, settings)
    spark.stop()
    # The JVM writes the archive when it exits, and exits when its stdin is closed, which PySpark does not do earlier.
    jvm: Any = SparkContext._gateway  # noqa: SLF001
    jvm.proc.stdin.close()
    jvm.proc.wait()


def _run_stream(spark: SparkSession, settings: Settings) -> None:
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, map(settings.stream, RECORD_TYPES))
    client = clients.client("kinesis", settings.region, settings.kinesis_endpoint_url)
    client.put_record(StreamName=settings.stream("pin"), Data=b"no json", PartitionKey="1")
    for query in queries.start(STREAMING_JOBS["kinesis_to_delta"], spark, settings):
        query.processAllAvailable()
        query.stop()


def _land_records(store: ObjectStore, topic: str, record_type: str) -> None:
    rows = [json.dumps(row, default=str).encode() for row in islice(synthetic.rows(record_type), RECORDS_PER_TOPIC)]
    records = [TopicRecord(offset, 0, value) for offset, value in enumerate([*rows, b"no json"])]
    for chunk in chunk_records(records):
        store.put_once(ObjectName(chunk.area, topic, 0, chunk.first_offset), chunk.body)


if __name__ == "__main__":
    try:
        main()
    except LocalError as error:
        sys.exit(f"pin-pipeline: {error}")
