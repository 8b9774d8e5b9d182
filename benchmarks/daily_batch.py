"""The job daily_batch as users run it: a fresh process, so a cold JVM, on the real local servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import environment
from benchmarks.records import produce, put_one_by_one, synthetic_values
from benchmarks.report import Measured, conclude, require_equal, say, seconds
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.cli import demo
from pin_pipeline.emulator.emulator import emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Topics
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.kafka.topics import PARTITIONS
from pin_pipeline.local import orchestrator
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
    """Measure the first run and one with nothing new, then the latter behind a short and a long history."""
    firsts, seconds_runs = zip(*(_first_and_second_run(number) for number in range(ROUNDS)), strict=True)
    short, long = _behind_histories()
    first, second = median(firsts), median(seconds_runs)
    conclude(
        Measured(f"first run, {DRAWS:,} draws", first, "s", at_most=45),
        Measured("second run, nothing new", second, "s"),
        Measured("second run / first run", second / first, "x", at_most=0.5),
        Measured(f"nothing new behind {SHORT_HISTORY:,} objects", short, "s"),
        Measured(f"nothing new behind {LONG_HISTORY:,} objects", long, "s"),
        Measured("long history / short history", long / short, "x", at_most=1.2),
    )


def post_draws(settings: Settings) -> None:
    """Post the draws of a usual day."""
    database = SourceDatabase(settings.source_url)
    demo.fill_if_empty(database)
    with Gateway(settings.gateway_url) as gateway:
        topics = {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}
        emulate(database, Topics(gateway, topics), Draws(DRAWS), lambda _: None)


def run_day(settings: Settings) -> list[orchestrator.Step]:
    """Run the job in a process of its own."""
    os.environ.update(PIN_PREFIX=settings.prefix, PIN_BUCKET=settings.bucket)
    return orchestrator.run_job(settings.home, "daily_batch", {})


def _first_and_second_run(number: int) -> tuple[float, float]:
    with environment.fresh() as settings:
        say(f"{DRAWS} draws, then two runs: {number + 1} of {ROUNDS}")
        post_draws(settings)
        first = seconds(run_day, settings)
        require_equal("records landed and posted", _landed(settings), DRAWS * len(RECORD_TYPES))
        return first, _run_with_nothing_new(settings)


def _behind_histories() -> tuple[float, float]:
    short, long = [], []
    with environment.fresh() as settings:
        after_short = _history(environment.apart(settings, "short-history"), SHORT_HISTORY)
        after_long = _history(environment.apart(settings, "long-history"), LONG_HISTORY)
        for number in range(ROUNDS):
            say(f"runs behind both histories: {number + 1} of {ROUNDS}")
            short.append(_run_with_nothing_new(after_short))
            long.append(_run_with_nothing_new(after_long))
    return median(short), median(long)


def _history(settings: Settings, objects: int) -> Settings:
    """Landed and cleaned objects of one record each.

    Spark would read 100,000 objects for an hour. So the records are cleaned as they land, in few objects, and these are
    replaced by many; a last record a partition, which is cleaned too, keeps all of them behind what was read.
    """
    say(f"making a history of {objects} objects")
    store, lasts = ObjectStore.of(settings), len(RECORD_TYPES) * PARTITIONS
    records = {}
    for number, record_type in enumerate(RECORD_TYPES):
        count = len(range(number, objects - lasts, len(RECORD_TYPES)))
        records[settings.topic(record_type)] = produce(settings, record_type, synthetic_values(record_type, count))
    run_day(settings)
    landed = [entry["Key"] for page in _pages(store) for entry in page["Contents"]]
    for record_type in RECORD_TYPES:
        produce(settings, record_type, synthetic_values(record_type, PARTITIONS))
    run_day(settings)
    for key in landed:
        store.client.delete_object(Bucket=store.bucket, Key=key)
    for topic, of_topic in records.items():
        put_one_by_one(store, topic, of_topic)
    require_equal("objects in the history", sum(page["KeyCount"] for page in _pages(store)), objects)
    return settings


def _pages(store: ObjectStore) -> Iterator[ListObjectsV2OutputTypeDef]:
    yield from store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix="topics/")


def _run_with_nothing_new(settings: Settings) -> float:
    before = _tables(settings)
    took = seconds(run_day, settings)
    require_equal("tables before and after a run with nothing new", _tables(settings), before)
    return took


def _tables(settings: Settings) -> dict[str, tuple[int, int]]:
    lake = Lake.of(settings)
    tables = [lake.existing(key) for key in TABLES]
    return {table.key: (table.version, table.rows) for table in tables}


def _landed(settings: Settings) -> int:
    return sum(CleaningProgress.of(Lake.of(settings).existing(key)).landed for key in CLEANED)


if __name__ == "__main__":
    main()
