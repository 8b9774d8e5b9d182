"""Benchmark of reconciliation: its rate over a broker, objects and tables, and its share of the daily batch."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.cleaning import warm_spark
from benchmarks.daily_batch import DRAWS, ROUNDS, post_draws, run_daily_batch
from benchmarks.local_services import local_services
from benchmarks.records import produce, synthetic_values
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

RECORDS = 100_000
CHECKS = {"reconcile", "data_quality", "quarantine__summary"}


def main() -> None:
    """Reconcile equally many records of each type; then run daily batches and add up the steps that only check."""
    with local_services() as settings:
        seconds = _cpu_seconds(settings)
    shares = [_share_of_checks(number) for number in range(ROUNDS)]
    records = len(RECORD_TYPES) * RECORDS
    print_report(
        *(
            Measurement(f"reconciliation of {RECORDS:,} {record_type} records", RECORDS / taken, "records/s")
            for record_type, taken in seconds.items()
        ),
        Measurement(
            "reconciliation of all records, by CPU time", records / sum(seconds.values()), "records/s", at_least=100_000
        ),
        Measurement("checks and counts / daily batch", median(shares), "x", at_most=0.1),
    )


def _cpu_seconds(settings: Settings) -> dict[str, float]:
    """Return the CPU seconds that the reconciliation of each record type takes."""
    store, lake = ObjectStore.of(settings), Lake.of(settings)
    topics = {record_type: settings.topic(record_type) for record_type in RECORD_TYPES}
    for record_type, topic in topics.items():
        log_progress(f"{RECORDS:,} {record_type} records to {topic} and S3")
        produce(settings, record_type, synthetic_values(record_type, RECORDS))
        land_topic(settings.kafka, store, topic)
    with warm_spark(settings) as spark:
        log_progress("cleaning")
        list(
            clean_topics(
                SparkEngine(lambda: spark),
                lake,
                store,
                {topic: RECORD_TYPES[record_type] for record_type, topic in topics.items()},
            )
        )
    taken = {}
    for record_type, topic in topics.items():
        rounds = []
        for number in range(ROUNDS):
            log_progress(f"reconciling {topic}: {number + 1} of {ROUNDS}")
            started = time.process_time()
            findings = reconcile_topic(RECORD_TYPES[record_type], topic, settings.kafka, lake, store)
            rounds.append(time.process_time() - started)
            require_equal(
                "records published and discrepancies",
                (findings.total("published"), findings.discrepancies),
                (RECORDS, []),
            )
        taken[record_type] = median(rounds)
    return taken


def _share_of_checks(number: int) -> float:
    log_progress(f"daily batch of {DRAWS:,} draws: {number + 1} of {ROUNDS}")
    with local_services() as settings:
        post_draws(settings)
        steps = run_daily_batch(settings)
    return sum(steps[name] for name in CHECKS) / sum(steps.values())


if __name__ == "__main__":
    main()
