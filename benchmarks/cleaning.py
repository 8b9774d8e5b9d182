"""The first cleaning of landed pins, against a plain notebook that reads one object a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import pyarrow as pa
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from benchmarks import notebook
from benchmarks.local_services import isolated, local_services
from benchmarks.records import produce, put_one_by_one, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.batch.cleaning import clean_topics
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
    """Measure both in turn in one Spark session that is warm, each time in a bucket that is empty."""
    with local_services() as settings, warm_spark(settings) as spark:
        log_progress("warming up")
        _compare(spark, isolated(settings, "warm-up"), WARM_UP_RECORDS)
        times = []
        for number in range(ROUNDS):
            log_progress(f"round {number + 1} of {ROUNDS}")
            times.append(_compare(spark, isolated(settings, f"round-{number}"), RECORDS))
    ours, peers = map(median, zip(*times, strict=True))
    print_report(
        Measurement(f"first cleaning of {RECORDS:,} records", ours, "s"),
        Measurement("peer: notebook, one object a record", peers, "s"),
        Measurement("peer / cleaning", peers / ours, "x", at_least=20),
    )


@contextmanager
def warm_spark(settings: Settings) -> Iterator[SparkSession]:
    """A session that measures one thing after the other."""
    conf = spark_conf(jars.ensure("spark"), settings.home, settings.s3_endpoint_url, settings.region)
    spark: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
    yield spark
    spark.stop()


def _compare(spark: SparkSession, settings: Settings, count: int) -> tuple[float, float]:
    """The seconds of both over the same records."""
    lake, landed, topic = Lake.of(settings), ObjectStore.of(settings), settings.topic(PIN.name)
    one_by_one = ObjectStore.of(isolated(settings, f"{settings.bucket}-peer"))
    records = produce(settings, PIN.name, synthetic_values(PIN.name, count))
    land_topic(settings.kafka, landed, topic)
    put_one_by_one(one_by_one, topic, records)
    log_progress("cleaning")
    ours = measure_seconds(lambda: list(clean_topics(lambda: spark, lake, landed, {topic: PIN})))
    log_progress("the notebook")
    folder = f"s3a://{one_by_one.bucket}/topics/{topic}/"
    peers = measure_seconds(notebook.clean_pins, spark, folder, lake.path("notebook/pin"))
    require_same_cells(lake, count)
    return ours, peers


def require_same_cells(lake: Lake, count: int) -> None:
    """Raise MismatchError unless the cleaned table and the notebook's hold the same rows, `count` of them."""
    cells = _cells(lake, "cleaned/pin")
    require_equal("number of records sent and cleaned", cells.num_rows, count)
    require_equal("cells of the cleaned table and the notebook's", cells, _cells(lake, "notebook/pin"))


def _cells(lake: Lake, key: str) -> pa.Table:
    columns = ", ".join(column.name for column in PIN.columns)
    return lake.require(key).query(f"select {columns} from t order by ind")  # noqa: S608 - our own names


if __name__ == "__main__":
    main()
