"""Benchmark of the job `daily_batch` as users run it: in a new process with a cold JVM, on the local servers."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.local_services import isolated, local_services
from benchmarks.records import produce, put_one_by_one, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli import demo
from pin_pipeline.cli.job_runner import run_job
from pin_pipeline.defs.step_timings import StepTiming
from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.progress import CleaningProgress

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

ROUNDS = 3
DRAWS = 1_000
SHORT_HISTORY, LONG_HISTORY = 1_000, 100_000
CLEANED = [f"cleaned/{record_type}" for record_type in RECORD_TYPES]
TABLES = [*CLEANED, *(query.key for query in QUERIES.values())]


def main() -> None:
    """Measure a first run and a run without new records, then the latter with a short and a long history."""
    first_runs, second_runs = zip(*(_first_and_second_run(number) for number in range(ROUNDS)), strict=True)
    short, long = _runs_with_histories()
    first, second = median(first_runs), median(second_runs)
    print_report(
        Measurement(f"first run, {DRAWS:,} draws", first, "s", at_most=45),
        Measurement("second run, no new records", second, "s"),
        Measurement("second run / first run", second / first, "x", at_most=0.5),
        Measurement(f"no new records after {SHORT_HISTORY:,} objects", short, "s"),
        Measurement(f"no new records after {LONG_HISTORY:,} objects", long, "s"),
        Measurement("long history / short history", long / short, "x", at_most=1.2),
    )


def post_draws(settings: Settings) -> None:
    """Post `DRAWS` draws to the topics, after filling the source database if it is empty."""
    database = SourceDatabase(settings.source_url)
    demo.fill_if_empty(database)
    with Gateway(settings.gateway_url) as gateway:
        topics = {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}
        emulate(database, TopicSink(gateway, topics), Draws(DRAWS), lambda _: None)


def run_daily_batch(settings: Settings) -> list[StepTiming]:
    """Run the job in a new process and return the timings of its steps."""
    return run_job(settings, "daily_batch", {})


def _first_and_second_run(number: int) -> tuple[float, float]:
    with local_services() as settings:
        log_progress(f"{DRAWS} draws, then two runs: {number + 1} of {ROUNDS}")
        post_draws(settings)
        first = measure_seconds(run_daily_batch, settings)
        require_equal("landed and posted records", _landed_records(settings), DRAWS * len(RECORD_TYPES))
        return first, _run_without_new_records(settings)


def _runs_with_histories() -> tuple[float, float]:
    short, long = [], []
    with local_services() as settings:
        short_history = _create_history(isolated(settings, "short-history"), SHORT_HISTORY)
        long_history = _create_history(isolated(settings, "long-history"), LONG_HISTORY)
        for number in range(ROUNDS):
            log_progress(f"runs with both histories: {number + 1} of {ROUNDS}")
            short.append(_run_without_new_records(short_history))
            long.append(_run_without_new_records(long_history))
    return median(short), median(long)


def _create_history(settings: Settings, objects: int) -> Settings:
    """Create landed and cleaned objects of one record each.

    Spark would take an hour to read 100,000 objects. Therefore the records are landed and cleaned in a few large
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
