"""Benchmark of cleaning a million landed pins, compared with a hand-written Spark job that only cleans.

The peer reads the same objects with a given schema, and has no quarantine, counts, source positions or progress.
"""

from __future__ import annotations

from benchmarks import notebook
from benchmarks.cleaning import require_same_cells, warm_spark
from benchmarks.local_services import isolated, local_services
from benchmarks.records import synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.records import PIN
from pin_pipeline.records.fields import Integer
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_format import TopicRecord, chunk_records
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore

PINS, WARM_UP_PINS = 1_000_000, 20_000
SCHEMA = ", ".join(f"`{field.name}` {'bigint' if isinstance(field, Integer) else 'string'}" for field in PIN.fields)


def main() -> None:
    """Measure both once, the peer first, in a session that is warmed up with fewer pins."""
    with local_services() as settings, warm_spark(settings) as spark:
        for name, pins in (("warm-up", WARM_UP_PINS), ("million", PINS)):
            log_progress(f"landing {pins:,} pins")
            bucket_settings = isolated(settings, name)
            store, lake, topic = (
                ObjectStore.of(bucket_settings),
                Lake.of(bucket_settings),
                bucket_settings.topic(PIN.name),
            )
            _land(store, topic, pins)
            log_progress("hand-written job")
            folder = f"s3a://{bucket_settings.bucket}/topics/{topic}/"
            peer_seconds = measure_seconds(notebook.clean_pins, spark, folder, lake.path("notebook/pin"), SCHEMA)
            log_progress("cleaning")
            seconds = measure_seconds(lambda: list(clean_topics(SparkEngine(lambda: spark), lake, store, {topic: PIN})))  # noqa: B023 - called here
            require_same_cells(lake, pins)
    print_report(
        Measurement(f"cleaning of {PINS:,} pins", seconds, "s"),
        Measurement("peer: hand-written Spark job", peer_seconds, "s"),
        Measurement("speed of cleaning / speed of the peer", peer_seconds / seconds, "x", at_least=0.6),
    )


def _land(store: ObjectStore, topic: str, pins: int) -> None:
    for chunk in chunk_records(
        TopicRecord(offset, 0, value) for offset, value in enumerate(synthetic_values(PIN.name, pins))
    ):
        store.put_once(ObjectName(chunk.area, topic, 0, chunk.first_offset), chunk.body)


if __name__ == "__main__":
    main()
