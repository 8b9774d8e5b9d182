"""One program that cleans landed records of all three types, in a process of its own.

Usage: `python -m benchmarks.cleaning_process STARTED PROGRAM [ROOT...]`, with the settings in the environment. It
cleans the landed objects into each root, and prints one line of JSON per root. Without roots, it reads them from its
input.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.processes import cpu_seconds, peak_mib
from pin_pipeline.aws.clients import LOCAL_CREDENTIALS
from pin_pipeline.local import jars
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

Program = Callable[[Lake], object]


def main() -> None:
    """Clean into each root, and print the seconds since the start of the process, those of the cleaning, and memory."""
    started, name, *roots = sys.argv[1:]
    settings = Settings.load()
    program = PROGRAMS[name](settings)
    for root in roots or map(str.strip, sys.stdin):
        before, cpu_before = time.perf_counter(), cpu_seconds()
        program(replace(Lake.of(settings), root=root))
        outcome = {
            "cleaning": time.perf_counter() - before,
            "cleaning_cpu": cpu_seconds() - cpu_before,
            "process": time.time() - float(started),
            "process_cpu": cpu_seconds(),
            "peak_mib": peak_mib(),
        }
        print(json.dumps(outcome), flush=True)


def _embedded(settings: Settings) -> Program:
    from pin_pipeline.batch.cleaning import clean_topics  # noqa: PLC0415 - part of the time
    from pin_pipeline.batch.engines.embedded import EmbeddedEngine  # noqa: PLC0415

    topics = {settings.topic(name): record_type for name, record_type in RECORD_TYPES.items()}
    store = ObjectStore.of(settings)
    return lambda lake: list(clean_topics(EmbeddedEngine(), lake, store, topics))


def _spark(settings: Settings) -> Program:
    from dagster_pyspark import LazyPySparkResource  # noqa: PLC0415

    from pin_pipeline.batch.cleaning import clean_topics  # noqa: PLC0415
    from pin_pipeline.batch.engines.spark import SparkEngine  # noqa: PLC0415
    from pin_pipeline.spark.session import MAX_BATCH_BYTES, spark_conf  # noqa: PLC0415

    topics = {settings.topic(name): record_type for name, record_type in RECORD_TYPES.items()}
    conf = spark_conf(jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    spark, store = LazyPySparkResource(spark_config=conf).spark_session, ObjectStore.of(settings)
    return lambda lake: list(clean_topics(SparkEngine(lambda: spark, MAX_BATCH_BYTES), lake, store, topics))


def _plain_spark(settings: Settings) -> Program:
    from benchmarks import plain_spark  # noqa: PLC0415

    spark = plain_spark.session(settings.s3_endpoint_url, str(jars.ensure("spark")))

    def clean(lake: Lake) -> None:
        for name, clean_type in plain_spark.CLEAN.items():
            clean_type(spark, f"s3a://{lake.bucket}/topics/{settings.topic(name)}/", lake.path(f"cleaned/{name}"))

    return clean


def _duckdb(settings: Settings) -> Program:
    from benchmarks import duckdb_cleaning  # noqa: PLC0415

    store, url = ObjectStore.of(settings), str(settings.s3_endpoint_url)
    options = {"AWS_REGION": settings.region, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", **LOCAL_CREDENTIALS}

    def clean(lake: Lake) -> None:
        for name in RECORD_TYPES:
            table = f"s3://{lake.bucket}/{lake.root}/cleaned/{name}"
            duckdb_cleaning.clean(store, settings.topic(name), name, table, options)

    return clean


def _queries(_: Settings) -> Program:
    from pin_pipeline.batch.engines.embedded import EmbeddedEngine  # noqa: PLC0415
    from pin_pipeline.batch.queries import QUERIES  # noqa: PLC0415
    from pin_pipeline.batch.query_runner import run_queries  # noqa: PLC0415

    return lambda lake: list(run_queries(EmbeddedEngine(), lake, list(QUERIES.values())))


PROGRAMS: dict[str, Callable[[Settings], Program]] = {
    "embedded": _embedded,
    "spark": _spark,
    "plain_spark": _plain_spark,
    "duckdb": _duckdb,
    "queries": _queries,
}

if __name__ == "__main__":
    main()
