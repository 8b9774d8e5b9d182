"""Prepare Spark to start fast: once, when the project is installed, beside the packages that it consists of.

* A home that has Spark's programs and jars, but not the zip of PySpark's source files: from it every Python worker
  would compile what it imports anew, for most of a second, instead of importing the installed package.
* Spark's classes as an archive (AppCDS): a JVM maps them instead of loading and verifying 30,000 one by one, a fifth of
  what a daily batch on a few records costs. It comes from a small day's work and a stream's. Java ignores it when it is
  another Java, or when a jar has changed.
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

import boto3
import pyspark
from pyspark import SparkContext
from pyspark.sql import SparkSession

from pin_pipeline import settings as environment
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.emulator import synthetic
from pin_pipeline.local import jars, kinesis, ports, s3
from pin_pipeline.local.errors import LocalError
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.session import BATCH, CLASSES, HOME, spark_conf, streaming_conf
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_format import TopicRecord, chunks
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming import queries
from pin_pipeline.streaming.jobs import STREAMING_JOBS

RECORDS = 50


def prepare() -> None:
    """Make both anew.

    Raises:
        LocalError: something needed is missing, or the JVM did not write the archive.
    """
    HOME.mkdir(exist_ok=True)
    for name in ("bin", "jars"):
        HOME.joinpath(name).unlink(missing_ok=True)
        HOME.joinpath(name).symlink_to(Path(pyspark.__path__[0], name))
    unfinished = CLASSES.with_suffix(".new")
    with _environment() as settings:
        _work(settings, f"-XX:ArchiveClassesAtExit={unfinished}")
    if not unfinished.exists():
        raise LocalError(f"Java did not write {unfinished}: is there space on the disk?")
    unfinished.replace(CLASSES)  # at once: a JVM that maps a part of an archive crashes


@contextmanager
def _environment() -> Iterator[Settings]:
    """An S3 and a Kinesis endpoint of its own, and nothing else."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        home = Path(folder)
        servers = [s3.server(home, ports.free()), kinesis.server(home, ports.free())]
        for server in servers:
            process = ServerProcess(home, server.name)
            process.start(server)
            running.callback(process.stop)
            process.wait_until_ready(server)
        yield replace(
            environment.load(),
            home=home,
            checkpoints=(home / "checkpoints").as_uri(),
            s3_endpoint_url=servers[0].address,
            kinesis_endpoint_url=servers[1].address,
        )


def _work(settings: Settings, java_option: str) -> None:
    where = (jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    conf: dict[str, Any] = spark_conf(*where)
    conf["spark.driver.extraJavaOptions"] = " ".join((*BATCH, java_option))
    spark = SparkSession.builder.config(map=conf).getOrCreate()
    s3.create_bucket(settings.s3_endpoint_url, settings.bucket)
    lake, store = Lake.of(settings), ObjectStore.of(settings)
    topics = {settings.topic(name): record_type for name, record_type in RECORD_TYPES.items()}
    for topic, record_type in topics.items():
        _land(store, topic, record_type.name)
    list(clean_topics(lambda: spark, lake, store, topics))
    list(run_queries(lambda: spark, lake, list(QUERIES.values())))
    for name, value in streaming_conf(*where).items() - conf.items():
        if name.startswith("spark.sql."):
            spark.conf.set(name, value)
    _stream(spark, settings)
    spark.stop()
    # The JVM ends when its input does, which PySpark leaves to the end of this process, and only then writes.
    jvm: Any = SparkContext._gateway  # noqa: SLF001
    jvm.proc.stdin.close()
    jvm.proc.wait()


def _stream(spark: SparkSession, settings: Settings) -> None:
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, map(settings.stream, RECORD_TYPES))
    client = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region)
    client.put_record(StreamName=settings.stream("pin"), Data=b"no json", PartitionKey="1")
    for query in queries.start(STREAMING_JOBS["kinesis_to_delta"], spark, settings):
        query.processAllAvailable()
        query.stop()


def _land(store: ObjectStore, topic: str, record_type: str) -> None:
    rows = [json.dumps(row, default=str).encode() for row in islice(synthetic.rows(record_type), RECORDS)]
    records = [TopicRecord(offset, 0, value) for offset, value in enumerate([*rows, b"no json"])]
    for chunk in chunks(records):
        store.put_once(ObjectName(chunk.area, topic, 0, chunk.first_offset), chunk.body)


if __name__ == "__main__":
    try:
        prepare()
    except LocalError as error:
        sys.exit(f"pin-pipeline: {error}")
