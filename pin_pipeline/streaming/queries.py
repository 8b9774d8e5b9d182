"""Spark queries of each streaming job, run locally and on Databricks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from kafka import KafkaAdminClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the conventional alias
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.settings import Settings, on_databricks
from pin_pipeline.spark.unity_catalog import register
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.jobs import StreamingJob
from pin_pipeline.streaming.kinesis_source.service import KinesisStream
from pin_pipeline.streaming.kinesis_source.source import KinesisSource
from pin_pipeline.streaming.postgres_sink import PinsSink, WindowSink
from pin_pipeline.streaming.postgres_tables import POSTED_AT
from pin_pipeline.streaming.supervision.progress_listener import observe_arrivals
from pin_pipeline.streaming.windowed_counts import WINDOWED_COUNTS, with_position

MAX_TOPIC_RECORDS, MAX_STREAM_RECORDS = 50_000, 20_000
"""Maximum number of records per micro-batch.

They pass through the driver, which itself fetches those of a stream: up to two micro-batches per record type at a time,
as Python objects.
"""
COLUMNS = {
    "stream": "source_stream",
    "shardId": "source_shard",
    "sequenceNumber": "source_sequence_number",
    "approximateArrivalTimestamp": "arrived_at",
    "data": "bytes",
}
"""Columns of the Kinesis source, and their names in the tables."""
PINS_INTERVAL, WINDOWS_INTERVAL = "500 milliseconds", "2 seconds"
"""Trigger intervals of the Kafka queries, which would otherwise poll the topic without a pause."""
NO_INTERVAL = "0 seconds"
"""Trigger interval of the Kinesis queries: their source itself waits between two fetches."""
SHARED_FETCH_PERIOD = "600ms"
"""Fetch period of a shared stream: three queries read it, and Kinesis allows five requests per second to a shard."""

IDLE = "Waiting for data to arrive"
"""Status message of a Spark query that has read all available records."""
POLL_SECONDS = 0.05

Sink = Callable[[DataFrame, int], None]


def start(job: StreamingJob, spark: SparkSession, settings: Settings) -> list[StreamingQuery]:
    """Start the queries of a streaming job; each has the name of its table.

    The folder of each checkpoint contains the identity of what the query reads and of the tables it writes. A recreated
    stream or table therefore starts with a new checkpoint, and no record that the new table needs is skipped.

    Raises:
        KinesisSourceError: a Kinesis stream does not exist, or Kinesis does not respond.
        PostgresError: Postgres does not respond or refuses the request.
        KafkaError: the broker does not respond.
    """
    return list(QUERIES[job.name](spark, settings))


def _kinesis_to_delta(spark: SparkSession, settings: Settings) -> Iterator[StreamingQuery]:
    """Start one query per record type, from its own stream or from its part of the shared stream."""
    if not on_databricks():  # Databricks has its own source `kinesis`
        spark.dataSource.register(KinesisSource)
    for record_type in RECORD_TYPES.values():
        stream = settings.one_stream if settings.share_one_stream else settings.stream(record_type.name)
        created, _ = KinesisStream(stream, settings.region, settings.kinesis_endpoint_url).describe()
        sink = DeltaSink(Lake.of(settings), record_type, (stream, created))
        if settings.catalog:
            register(spark, Lake.of(settings), f"streams/{record_type.name}", settings.catalog)
        records = _read_kinesis(spark, settings, stream)
        if settings.share_one_stream:
            records = records.where(shared_stream_filter(record_type.name))
        renamed = records.select(*(F.col(source).alias(column) for source, column in COLUMNS.items()))
        yield _start(
            settings,
            observe_arrivals(renamed, F.col("arrived_at")),
            sink,
            f"streams/{record_type.name}",
            f"{stream}-{created}/{sink.identity}",
            NO_INTERVAL,
        )


def _kafka_to_postgres(spark: SparkSession, settings: Settings) -> Iterator[StreamingQuery]:
    """Start the queries of the topic of pins: one for the pins, and one per table of windows."""
    topic = settings.topic(PIN.name)
    postgres = Postgres(settings.postgres_url)
    source = f"{topic}-{_topic_id(settings, topic)}"
    sink = PinsSink(postgres)
    records = _read_kafka(spark, settings, topic, {"maxOffsetsPerTrigger": str(MAX_TOPIC_RECORDS)})
    yield _start(settings, records, sink, "realtime/experimental_data", f"{source}/{sink.identity}", PINS_INTERVAL)
    for name, (table, count) in WINDOWED_COUNTS.items():
        window_sink = WindowSink(postgres, table)
        # Without a limit: in several batches, one partition could get far ahead and make records of another too late.
        changes = count(_read_kafka(spark, settings, topic, {}))
        yield _start(settings, changes, window_sink, name, f"{source}/{window_sink.identity}", WINDOWS_INTERVAL)


QUERIES = {"kinesis_to_delta": _kinesis_to_delta, "kafka_to_postgres": _kafka_to_postgres}


def shared_stream_filter(record_type: str) -> str:
    """Return the SQL condition for the records of one type in a shared stream.

    A record whose partition key is not a record type is validated as a pin, so that it is not lost.
    """
    others = ", ".join(f"'{name}'" for name in RECORD_TYPES if name != PIN.name)
    return f"partitionKey not in ({others})" if record_type == PIN.name else f"partitionKey = '{record_type}'"


def _start(settings: Settings, frame: DataFrame, sink: Sink, name: str, identity: str, interval: str) -> StreamingQuery:
    writer = frame.writeStream.queryName(name).outputMode("update").trigger(processingTime=interval)
    writer = writer.foreachBatch(sink).option("checkpointLocation", f"{settings.checkpoints}/{name}/{identity}")
    query = writer.start()
    # One after the other: the first micro-batch mostly starts Python workers, which time out when all start at once.
    while query.isActive and query.lastProgress is None and query.status["message"] != IDLE:
        time.sleep(POLL_SECONDS)
    return query


def _read_kinesis(spark: SparkSession, settings: Settings, stream: str) -> DataFrame:
    options = {
        "streamName": stream,
        "region": settings.region,
        "initialPosition": "trim_horizon",
        "maxRecordsPerTrigger": str(MAX_STREAM_RECORDS),
    }
    if settings.kinesis_endpoint_url:
        options["endpointUrl"] = settings.kinesis_endpoint_url
    if settings.share_one_stream:
        options["minFetchPeriod"] = SHARED_FETCH_PERIOD
    return spark.readStream.format("kinesis").options(**options).load()


def _read_kafka(spark: SparkSession, settings: Settings, topic: str, options: dict[str, str]) -> DataFrame:
    connection = {**settings.kafka.spark(), "subscribe": topic, "startingOffsets": "earliest"}
    records = with_position(spark.readStream.format("kafka").options(**connection, **options).load())
    return observe_arrivals(records, F.col(POSTED_AT.name))


def _topic_id(settings: Settings, topic: str) -> str:
    client = KafkaAdminClient(**settings.kafka.kafka_python())
    try:
        [description] = client.describe_topics([topic])
    finally:
        client.close()
    return str(description["topic_id"])
