"""Benchmark of the first cleaning of landed pins, compared with a notebook that reads one object per record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pyarrow as pa
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from benchmarks import plain_spark
from benchmarks.local_services import isolated, local_services
from benchmarks.records import produce, put_one_by_one, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.landing.lander import land_topic
from pin_pipeline.local import jars
from pin_pipeline.records import PIN
from pin_pipeline.settings import Settings
from pin_pipeline.spark.session import spark_conf
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore

RECORDS, WARM_UP_RECORDS = 20_000, 200
ROUNDS = 3


def main() -> None:
    """Measure both in turn in one warm Spark session, each time in an empty bucket."""
    with local_services() as settings, warm_spark(settings) as spark:
        log_progress("warming up")
        _compare(spark, isolated(settings, "warm-up"), WARM_UP_RECORDS)
        times = []
        for number in range(ROUNDS):
            log_progress(f"round {number + 1} of {ROUNDS}")
            times.append(_compare(spark, isolated(settings, f"round-{number}"), RECORDS))
    seconds, peer_seconds = map(median, zip(*times, strict=True))
    print_report(
        Measurement(f"first cleaning of {RECORDS:,} records", seconds, "s"),
        Measurement("peer: notebook, one object per record", peer_seconds, "s"),
        Measurement("peer / cleaning", peer_seconds / seconds, "x", at_least=20),
    )


@contextmanager
def warm_spark(settings: Settings) -> Iterator[SparkSession]:
    """Run a Spark session that several measurements share."""
    conf = spark_conf(jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    spark: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
    yield spark
    spark.stop()


def _compare(spark: SparkSession, settings: Settings, count: int) -> tuple[float, float]:
    """Return the duration of both in seconds, over the same records."""
    lake, store, topic = Lake.of(settings), ObjectStore.of(settings), settings.topic(PIN.name)
    peer_store = ObjectStore.of(isolated(settings, f"{settings.bucket}-peer"))
    records = produce(settings, PIN.name, synthetic_values(PIN.name, count))
    land_topic(settings.kafka, store, topic)
    put_one_by_one(peer_store, topic, records)
    log_progress("cleaning")
    seconds = measure_seconds(lambda: list(clean_topics(SparkEngine(lambda: spark), lake, store, {topic: PIN})))
    log_progress("the notebook")
    folder = f"s3a://{peer_store.bucket}/topics/{topic}/"
    peer_seconds = measure_seconds(plain_spark.clean_pins, spark, folder, lake.path("notebook/pin"))
    require_same_cells(lake, count)
    return seconds, peer_seconds


def require_same_cells(lake: Lake, count: int) -> None:
    """Raise MismatchError unless the cleaned table and the notebook's hold the same rows, `count` of them."""
    cells = _cells(lake, "cleaned/pin")
    require_equal("number of records sent and cleaned", cells.num_rows, count)
    require_equal("cells of the cleaned table and the notebook's", cells, _cells(lake, "notebook/pin"))


def _cells(lake: Lake, key: str) -> pa.Table:
    columns = ", ".join(column.name for column in PIN.columns)
    return lake.require(key).query(f"select {columns} from t order by ind")  # noqa: S608 - names of columns


if __name__ == "__main__":
    main()
