"""The queries of each streaming job, as Spark runs them here and on Databricks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from pin_pipeline.environment import Settings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.records import KINDS, PIN
from pin_pipeline.streams.delta import DeltaSink
from pin_pipeline.streams.kinesis.service import Kinesis
from pin_pipeline.streams.kinesis.source import KinesisSource

MAX_RECORDS = 20_000
POSITION = {
    "stream": "source_stream",
    "shardId": "source_shard",
    "sequenceNumber": "source_sequence_number",
    "approximateArrivalTimestamp": "arrived_at",
    "data": "bytes",
}


def start(job: str, spark: SparkSession, settings: Settings) -> list[StreamingQuery]:
    """Start the queries of a streaming job, each called like its table.

    Raises:
        StreamError: a Kinesis stream is not there, or does not answer.
    """
    return list(JOBS[job](spark, settings))


def kinesis_to_delta(spark: SparkSession, settings: Settings) -> Iterable[StreamingQuery]:
    """A query for each kind, from its stream, or from its part of the stream that all kinds share."""
    spark.dataSource.register(KinesisSource)
    for kind in KINDS.values():
        stream = settings.one_stream if settings.share_one_stream else settings.stream(kind.name)
        created, _ = Kinesis(stream, settings.region, settings.kinesis_endpoint_url).created()
        sink = DeltaSink(Lake.of(settings), kind, (stream, created))
        records = _kinesis(spark, settings, stream)
        if settings.share_one_stream:
            records = records.where(is_of(kind.name))
        name = f"streams/{kind.name}"
        # An earlier table, or an earlier stream of that name, had a checkpoint of its own: this one starts from none.
        checkpoint = f"{settings.checkpoints}/{name}/{stream}-{created}/{sink.identity}"
        batches = records.select(*(F.col(source).alias(ours) for source, ours in POSITION.items()))
        yield (batches.writeStream.queryName(name).foreachBatch(sink).option("checkpointLocation", checkpoint).start())


def is_of(kind: str) -> str:
    """Which records of a shared stream are of the kind; one whose partition key names none is judged as a pin."""
    others = ", ".join(f"'{name}'" for name in KINDS if name != PIN.name)
    return f"partitionKey not in ({others})" if kind == PIN.name else f"partitionKey = '{kind}'"


def _kinesis(spark: SparkSession, settings: Settings, stream: str) -> DataFrame:
    options = {
        "streamName": stream,
        "region": settings.region,
        "initialPosition": "trim_horizon",
        "maxRecordsPerTrigger": str(MAX_RECORDS),
        "endpointUrl": settings.kinesis_endpoint_url,
    }
    if settings.share_one_stream:
        options["minFetchPeriod"] = (
            "600ms"  # five requests a second to a shard are allowed, and there are three queries
        )
    return spark.readStream.format("kinesis").options(**options).load()


JOBS: dict[str, Callable[[SparkSession, Settings], Iterable[StreamingQuery]]] = {"kinesis_to_delta": kinesis_to_delta}
