"""Benchmark: throughput of the Kinesis source and the Delta sink, and number of files after many commits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.listener import StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery

from benchmarks.cleaning import warm_spark
from benchmarks.local_services import isolated, local_services
from benchmarks.records import produce, synthetic_values
from benchmarks.report import Measurement, log_progress, measure_seconds, print_report, require_equal
from pin_pipeline.aws import clients
from pin_pipeline.records import PIN
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.spark.classify import classify
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.kinesis_source.source import KinesisSource
from pin_pipeline.streaming.queries import MAX_STREAM_RECORDS, MAX_TOPIC_RECORDS

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

RECORDS, SHARDS = 300_000, 4
TOPIC_RECORDS = 400_000
RECORDS_PER_REQUEST, RECORDS_PER_FETCH = 500, 10_000
ROUNDS = 3
COMMITS, RECORDS_PER_COMMIT = 3_600, 200


def main() -> None:
    """Measure one after the other, in one warm session."""
    with local_services() as settings, warm_spark(settings) as spark:
        spark.dataSource.register(KinesisSource)
        baseline, source = _source(spark, settings)
        to_delta = _topic_to_delta(spark, isolated(settings, "topic"))
        files = _files_after_an_hour(spark, isolated(settings, "files"))
    print_report(
        Measurement("Kinesis source", source, "records/s"),
        Measurement("baseline: get_records in a loop for each shard", baseline, "records/s"),
        Measurement("source / baseline", source / baseline, "x", at_least=0.7),
        Measurement("Kafka to Delta", to_delta, "records/s", at_least=20_000),
        Measurement(f"files of the table after {COMMITS:,} commits", files, "files", at_most=100),
    )


def _source(spark: SparkSession, settings: Settings) -> tuple[float, float]:
    """Return the records per second of a plain client loop and of the source, over the same stream."""
    client: KinesisClient = clients.client("kinesis", settings.region, settings.kinesis_endpoint_url)
    stream = "throughput"
    client.create_stream(StreamName=stream, ShardCount=SHARDS)
    log_progress(f"putting {RECORDS:,} records")
    values = synthetic_values(PIN.name, RECORDS)
    numbers = count()
    while batch := list(islice(values, RECORDS_PER_REQUEST)):
        records: list[Any] = [{"PartitionKey": str(next(numbers)), "Data": value} for value in batch]
        if client.put_records(StreamName=stream, Records=records)["FailedRecordCount"]:
            raise RuntimeError("the stream did not take all records")
    frame = _frame(spark, settings, stream)
    require_equal("what the source and the loop read", _available(frame), sorted(_loop(client, stream)))
    baselines, sources = [], []
    for number in range(ROUNDS):
        log_progress(f"round {number + 1} of {ROUNDS}")
        baselines.append(RECORDS / measure_seconds(_loop, client, stream))
        sources.append(_drain(frame, f"{settings.checkpoints}/drain-{number}"))
    return median(baselines), median(sources)


def _frame(spark: SparkSession, settings: Settings, stream: str) -> DataFrame:
    connection = {"endpointUrl": settings.kinesis_endpoint_url, "region": settings.region}
    options = {
        "streamName": stream,
        "initialPosition": "trim_horizon",
        "minFetchPeriod": "0ms",
        "maxRecordsPerTrigger": str(MAX_STREAM_RECORDS),
    }
    return spark.readStream.format("kinesis").options(**connection, **options).load()


def _loop(client: KinesisClient, stream: str) -> Sequence[str]:
    """Read all sequence numbers with a plain `get_records` loop per shard."""

    def read(shard: str) -> list[str]:
        iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        next_iterator, found = iterator["ShardIterator"], []
        while True:
            response = client.get_records(ShardIterator=next_iterator, Limit=RECORDS_PER_FETCH)
            found += [record["SequenceNumber"] for record in response["Records"]]
            if not response["MillisBehindLatest"]:
                return found
            next_iterator = response["NextShardIterator"]

    shards = [shard["ShardId"] for shard in client.list_shards(StreamName=stream)["Shards"]]
    with ThreadPoolExecutor(len(shards)) as pool:
        return [number for numbers in pool.map(read, shards) for number in numbers]


def _available(frame: DataFrame) -> Sequence[str]:
    """Return the sequence numbers that the source reads."""
    found: list[str] = []

    def keep(batch: DataFrame, _: int) -> None:
        found.extend(batch.select("sequenceNumber").toArrow()["sequenceNumber"].to_pylist())

    frame.writeStream.foreachBatch(keep).trigger(availableNow=True).start().awaitTermination()
    return sorted(found)


def _drain(frame: DataFrame, checkpoint: str) -> float:
    """Return the records per second of a query that reads all available records and discards them."""
    writer = frame.writeStream.format("noop").option("checkpointLocation", checkpoint)
    return _sustained(writer.trigger(availableNow=True).start())


def _sustained(query: StreamingQuery) -> float:
    """Return the records per second of a query, without its first micro-batch, which is mostly startup."""
    query.awaitTermination()
    first, *others = query.recentProgress
    records = sum(int(progress["numInputRows"]) for progress in others)
    return records / (_end(others[-1]) - _end(first)).total_seconds()


def _end(batch: StreamingQueryProgress) -> datetime:
    taken = timedelta(milliseconds=batch["durationMs"]["triggerExecution"])
    return datetime.fromisoformat(batch["timestamp"]) + taken


def _topic_to_delta(spark: SparkSession, settings: Settings) -> float:
    """Return the records per second from a topic into Delta, through the sink of the streams."""
    topic = settings.topic(PIN.name)
    log_progress(f"producing {TOPIC_RECORDS:,} records")
    produce(settings, PIN.name, synthetic_values(PIN.name, TOPIC_RECORDS))
    log_progress("topic to Delta")
    options = {"subscribe": topic, "startingOffsets": "earliest", "maxOffsetsPerTrigger": str(MAX_TOPIC_RECORDS)}
    reader = spark.readStream.format("kafka").options(**settings.kafka.spark())
    # The topic replaces the stream, and its partitions the shards.
    records = (
        reader.options(**options)
        .load()
        .selectExpr(
            "topic source_stream",
            "string(partition) source_shard",
            "string(offset) source_sequence_number",
            "timestamp arrived_at",
            "value bytes",
        )
    )
    writer = records.writeStream.foreachBatch(DeltaSink(Lake.of(settings), PIN, (topic, 0)))
    writer = writer.option("checkpointLocation", f"{settings.checkpoints}/topic").trigger(availableNow=True)
    rate = _sustained(writer.start())
    table = Lake.of(settings).require("streams/pin")
    found = table.query("select count(*) as records, count(distinct ind) as pins from t").to_pylist()
    require_equal("records in the table", found, [{"records": TOPIC_RECORDS, "pins": TOPIC_RECORDS}])
    return rate


def _files_after_an_hour(spark: SparkSession, settings: Settings) -> int:
    """Return the number of files of a table after an hour of one commit per second."""
    lake = Lake.of(settings)
    sink = DeltaSink(lake, PIN, ("files", 0))
    log_progress(f"{COMMITS:,} commits of {RECORDS_PER_COMMIT} records")
    values = [(value,) for value in synthetic_values(PIN.name, RECORDS_PER_COMMIT)]
    batch = spark.createDataFrame(values, "bytes binary").selectExpr(
        "'files' source_stream", "'0' source_shard", "'0' source_sequence_number", "now() arrived_at", "bytes"
    )
    classified = classify(PIN, batch, [column.name for column in STREAM_POSITION]).toArrow()
    index = classified.schema.get_field_index("source_sequence_number")
    for number in range(COMMITS):
        numbers = pa.array([str(number * RECORDS_PER_COMMIT + each) for each in range(RECORDS_PER_COMMIT)])
        sink.write(classified.set_column(index, "source_sequence_number", numbers))
        if number % 600 == 0:
            log_progress(f"{number:,} commits")
    table = lake.require("streams/pin")
    require_equal("rows in the table", table.rows, COMMITS * RECORDS_PER_COMMIT)
    return len(table.delta.file_uris())


if __name__ == "__main__":
    main()
