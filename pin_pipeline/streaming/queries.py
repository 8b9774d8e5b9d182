"""The queries of each streaming job, as Spark runs them here and on Databricks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from kafka import KafkaAdminClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.unity_catalog import register
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.jobs import StreamingJob
from pin_pipeline.streaming.kinesis_source.service import KinesisStream
from pin_pipeline.streaming.kinesis_source.source import KinesisSource
from pin_pipeline.streaming.postgres_sink import POSTED_AT, WINDOWED, PinsSink, WindowSink, positioned
from pin_pipeline.streaming.supervision.progress_listener import observe_arrivals

# What a micro-batch takes at most. Its records pass through the driver, which fetches those of a stream itself, two
# micro-batches of each kind at a time, as objects of Python.
MAX_OF_TOPIC, MAX_OF_STREAM = 50_000, 20_000
POSITION = {
    "stream": "source_stream",
    "shardId": "source_shard",
    "sequenceNumber": "source_sequence_number",
    "approximateArrivalTimestamp": "arrived_at",
    "data": "bytes",
}
# The Kinesis source waits by itself; a topic would be asked without a pause.
PINS_EVERY, WINDOWS_EVERY = "500 milliseconds", "2 seconds"
# Five requests a second to a shard are allowed, and three queries read a shared stream.
SHARED_FETCH_PERIOD = "600ms"
# Set on each cluster of Databricks, which has a source `kinesis` of its own.
DATABRICKS = "DATABRICKS_RUNTIME_VERSION"

# What Spark says of a query that has read all there is.
IDLE = "Waiting for data to arrive"
LOOK_SECONDS = 0.05

Sink = Callable[[DataFrame, int], None]


def start(job: StreamingJob, spark: SparkSession, settings: Settings) -> list[StreamingQuery]:
    """Start the queries of a streaming job, each called like its table.

    Each has a checkpoint of its own, whose folder is named after what it reads and the tables it writes: an earlier
    stream or table of the same name had another one, so that nothing is skipped that this one needs.

    Raises:
        StreamError: a Kinesis stream is not there, or does not answer.
        PostgresError: Postgres does not answer, or refuses.
        KafkaError: the broker does not answer.
    """
    return list(QUERIES[job.name](spark, settings))


def _kinesis_to_delta(spark: SparkSession, settings: Settings) -> Iterator[StreamingQuery]:
    """A query for each kind, from its stream, or from its part of the stream that all kinds share."""
    if DATABRICKS not in os.environ:
        spark.dataSource.register(KinesisSource)
    for record_type in RECORD_TYPES.values():
        stream = settings.one_stream if settings.share_one_stream else settings.stream(record_type.name)
        created, _ = KinesisStream(stream, settings.region, settings.kinesis_endpoint_url).created()
        sink = DeltaSink(Lake.of(settings), record_type, (stream, created))
        if settings.catalog:
            register(spark, Lake.of(settings), f"streams/{record_type.name}", settings.catalog)
        records = _kinesis(spark, settings, stream)
        if settings.share_one_stream:
            records = records.where(is_of(record_type.name))
        named = records.select(*(F.col(source).alias(ours) for source, ours in POSITION.items()))
        yield _start(
            settings,
            observe_arrivals(named, F.col("arrived_at")),
            sink,
            f"streams/{record_type.name}",
            f"{stream}-{created}/{sink.identity}",
            "0 seconds",
        )


def _kafka_to_postgres(spark: SparkSession, settings: Settings) -> Iterator[StreamingQuery]:
    """The topic of pins, once as it is and once for each kind of window."""
    topic = settings.topic(PIN.name)
    postgres = Postgres(settings.postgres_url)
    source = f"{topic}-{_topic_id(settings, topic)}"
    pins = PinsSink(postgres)
    some = _kafka(spark, settings, topic, {"maxOffsetsPerTrigger": str(MAX_OF_TOPIC)})
    yield _start(settings, some, pins, "realtime/experimental_data", f"{source}/{pins.identity}", PINS_EVERY)
    for name, (table, windows) in WINDOWED.items():
        sink = WindowSink(postgres, table)
        # All at once: in several steps one partition could get far ahead, and another's records come too late.
        changes = windows(_kafka(spark, settings, topic, {}))
        yield _start(settings, changes, sink, name, f"{source}/{sink.identity}", WINDOWS_EVERY)


QUERIES = {"kinesis_to_delta": _kinesis_to_delta, "kafka_to_postgres": _kafka_to_postgres}


def is_of(record_type: str) -> str:
    """Which records of a shared stream are of the kind; one whose partition key names none is judged as a pin."""
    others = ", ".join(f"'{name}'" for name in RECORD_TYPES if name != PIN.name)
    return f"partitionKey not in ({others})" if record_type == PIN.name else f"partitionKey = '{record_type}'"


def _start(settings: Settings, frame: DataFrame, sink: Sink, name: str, identity: str, every: str) -> StreamingQuery:
    writer = frame.writeStream.queryName(name).outputMode("update").trigger(processingTime=every)
    writer = writer.foreachBatch(sink).option("checkpointLocation", f"{settings.checkpoints}/{name}/{identity}")
    query = writer.start()
    # One after the other: a first micro-batch is mostly the start of workers, and so many at once would time out.
    while query.isActive and query.lastProgress is None and query.status["message"] != IDLE:
        time.sleep(LOOK_SECONDS)
    return query


def _kinesis(spark: SparkSession, settings: Settings, stream: str) -> DataFrame:
    options = {
        "streamName": stream,
        "region": settings.region,
        "initialPosition": "trim_horizon",
        "maxRecordsPerTrigger": str(MAX_OF_STREAM),
    }
    if settings.kinesis_endpoint_url:
        options["endpointUrl"] = settings.kinesis_endpoint_url
    if settings.share_one_stream:
        options["minFetchPeriod"] = SHARED_FETCH_PERIOD
    return spark.readStream.format("kinesis").options(**options).load()


def _kafka(spark: SparkSession, settings: Settings, topic: str, options: dict[str, str]) -> DataFrame:
    where = {**settings.kafka.spark(), "subscribe": topic, "startingOffsets": "earliest"}
    records = positioned(spark.readStream.format("kafka").options(**where, **options).load())
    return observe_arrivals(records, F.col(POSTED_AT.name))


def _topic_id(settings: Settings, topic: str) -> str:
    client = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        [described] = client.describe_topics([topic])
    finally:
        client.close()
    return str(described["topic_id"])
