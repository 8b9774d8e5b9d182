"""Benchmark of the job `daily_batch` as users run it, in a new process, beside a plain PySpark script.

The argument is the number of rounds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

import pyarrow as pa

from benchmarks.local_services import isolated, local_services
from benchmarks.records import produce, put_one_by_one, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.emulator import synthetic
from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.local import jars
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

ROUNDS = 3
DRAWS = 1_000
SHORT_HISTORY, LONG_HISTORY = 1_000, 20_000
CLEANED = [f"cleaned/{record_type}" for record_type in RECORD_TYPES]
TABLES = [*CLEANED, *(query.key for query in QUERIES.values())]


def main() -> None:
    """Measure runs with and without new draws beside a plain script, then runs with a short and a long history."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with local_services() as settings:
        new, nothing_new, plain = zip(*(_round(settings, number, rounds) for number in range(rounds)), strict=True)
        short, long = _runs_with_histories(settings, rounds)
    peer = median(plain)
    for name, seconds in (("new draws", new), ("nothing new", nothing_new), ("plain script", plain)):
        print(f"{name}: {min(seconds):.1f} to {max(seconds):.1f} s")
    print_report(
        Measurement(f"plain PySpark script, {DRAWS:,} draws", peer, "s"),
        Measurement(f"daily_batch, {DRAWS:,} new draws", median(new), "s"),
        Measurement("daily_batch, nothing new", median(nothing_new), "s"),
        Measurement("new draws / plain script", median(new) / peer, "x", at_most=0.15),
        Measurement("nothing new / plain script", median(nothing_new) / peer, "x", at_most=0.09),
        Measurement(f"nothing new after {SHORT_HISTORY:,} objects", short, "s"),
        Measurement(f"nothing new after {LONG_HISTORY:,} objects", long, "s"),
        Measurement("long history / short history", long / short, "x", at_most=1.2),
    )


def post_draws(settings: Settings) -> None:
    """Post `DRAWS` draws to the topics, after filling the source database if it is empty."""
    database = SourceDatabase(settings.source_url)
    synthetic.fill_if_empty(database)
    with Gateway(settings.gateway_url) as gateway:
        topics = {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}
        emulate(database, TopicSink(gateway, topics), Draws(DRAWS), lambda _: None)


def run_daily_batch(settings: Settings) -> dict[str, float]:
    """Run the job in a new process and return the seconds of each step."""
    return run_job(settings, "daily_batch", {})


def _round(services: Settings, number: int, rounds: int) -> tuple[float, float, float]:
    """Return the seconds of a run with new draws, of one with nothing new, and of the plain script."""
    log_progress(f"{DRAWS} draws, two runs and the plain script: {number + 1} of {rounds}")
    settings = isolated(services, f"round-{number}")
    post_draws(settings)
    new = measure_seconds(run_daily_batch, settings)
    require_equal("landed and posted records", _landed_records(settings), DRAWS * len(RECORD_TYPES))
    plain = isolated(services, f"plain-{number}")
    plain_seconds = measure_seconds(_run_plain_script, settings, plain)
    _compare_tables(Lake.of(settings), Lake.of(plain))
    return new, _run_without_new_records(settings), plain_seconds


def _run_plain_script(settings: Settings, plain: Settings) -> None:
    objects = f"s3a://{settings.bucket}/topics/{settings.topic('')}"
    arguments = [str(jars.ensure("spark")), str(settings.s3_endpoint_url), objects, f"s3a://{plain.bucket}/lake"]
    subprocess.run([sys.executable, "-m", "benchmarks.plain_batch", *arguments], check=True)  # noqa: S603


def _compare_tables(lake: Lake, plain: Lake) -> None:
    """Require that both have the same rows, in the columns that the plain script writes."""
    for key in TABLES:
        expected = plain.require(key).query("select * from t")
        rows = lake.require(key).query(f"select {', '.join(expected.column_names)} from t")  # noqa: S608
        require_equal(f"rows of {key}", _sorted_rows(rows), _sorted_rows(expected))


def _sorted_rows(table: pa.Table) -> list[str]:
    return sorted(str(list(row.values())) for row in table.to_pylist())


def _runs_with_histories(settings: Settings, rounds: int) -> tuple[float, float]:
    short, long = [], []
    short_history = _create_history(isolated(settings, "short-history"), SHORT_HISTORY)
    long_history = _create_history(isolated(settings, "long-history"), LONG_HISTORY)
    for number in range(rounds):
        log_progress(f"runs with both histories: {number + 1} of {rounds}")
        short.append(_run_without_new_records(short_history))
        long.append(_run_without_new_records(long_history))
    return median(short), median(long)


def _create_history(settings: Settings, objects: int) -> Settings:
    """Create landed and cleaned objects of one record each.

    Reading many small objects takes long. Therefore the records are landed and cleaned in a few large
    objects, which are then replaced by one object per record. Before that, one more record per partition is landed and
    cleaned, so that all small objects are below the high-water mark.
    """
    log_progress(f"creating a history of {objects} objects")
    store, last_records = ObjectStore.of(settings), len(RECORD_TYPES) * PARTITIONS
    produced = {}
    for number, record_type in enumerate(RECORD_TYPES):
        count = len(range(number, objects - last_records, len(RECORD_TYPES)))
        produced[settings.topic(record_type)] = produce(settings, record_type, synthetic_values(record_type, count))
    run_daily_batch(settings)
    large_objects = [entry["Key"] for page in _pages(store) for entry in page["Contents"]]
    for record_type in RECORD_TYPES:
        produce(settings, record_type, synthetic_values(record_type, PARTITIONS))
    run_daily_batch(settings)
    for key in large_objects:
        store.client.delete_object(Bucket=store.bucket, Key=key)
    for topic, records in produced.items():
        put_one_by_one(store, topic, records)
    require_equal("objects in the history", sum(page["KeyCount"] for page in _pages(store)), objects)
    return settings


def _pages(store: ObjectStore) -> Iterator[ListObjectsV2OutputTypeDef]:
    yield from store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix="topics/")


def _run_without_new_records(settings: Settings) -> float:
    before = _table_versions(settings)
    duration = measure_seconds(run_daily_batch, settings)
    require_equal("tables before and after a run without new records", _table_versions(settings), before)
    return duration


def _table_versions(settings: Settings) -> dict[str, tuple[int, int]]:
    lake = Lake.of(settings)
    tables = [lake.require(key) for key in TABLES]
    return {table.key: (table.version, table.rows) for table in tables}


def _landed_records(settings: Settings) -> int:
    return sum(CleaningProgress.of(Lake.of(settings).require(key)).landed for key in CLEANED)


if __name__ == "__main__":
    main()
