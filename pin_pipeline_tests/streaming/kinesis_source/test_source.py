"""The `kinesis` source in real queries of Structured Streaming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from pin_pipeline.streaming.kinesis_source.source import KinesisSource
from pin_pipeline_tests.streaming.kinesis_source.conftest import KinesisTestStream

NewStream = Callable[..., KinesisTestStream]


@pytest.fixture
def frame(streaming_session: SparkSession) -> Callable[..., DataFrame]:
    """Open a stream as a streaming DataFrame."""
    streaming_session.dataSource.register(KinesisSource)

    def read(stream: KinesisTestStream, **options: str) -> DataFrame:
        connection = {"streamName": stream.name, "endpointUrl": stream.client.meta.endpoint_url, "region": "us-east-1"}
        defaults = {"initialPosition": "trim_horizon", "minFetchPeriod": "20ms"}
        return streaming_session.readStream.format("kinesis").options(**connection, **defaults | options).load()

    return read


def available_now(frame: DataFrame, checkpoint: Path) -> list[list[str]]:
    """Run a query over the available records, and return its batches."""
    read: list[list[str]] = []

    def keep(batch: DataFrame, _: int) -> None:
        read.append(sorted(row.text for row in batch.selectExpr("string(data) text").collect()))

    writer = frame.writeStream.foreachBatch(keep).option("checkpointLocation", str(checkpoint))
    query = writer.trigger(availableNow=True).start()
    query.awaitTermination()
    return [batch for batch in read if batch]


def test_query_has_the_columns_of_databricks_and_resumes_at_its_checkpoint(
    frame: Callable[..., DataFrame], new_stream: NewStream, tmp_path: Path
) -> None:
    stream = new_stream()
    stream.put("a1", "b1", "c1")
    assert frame(stream).columns == [
        "partitionKey",
        "data",
        "stream",
        "shardId",
        "sequenceNumber",
        "approximateArrivalTimestamp",
    ]
    assert available_now(frame(stream), tmp_path) == [["a1", "b1", "c1"]]
    assert available_now(frame(stream), tmp_path) == []
    stream.put("d1")
    stream.split()
    stream.put("a2")
    assert sorted(text for batch in available_now(frame(stream), tmp_path) for text in batch) == ["a2", "d1"]


def test_running_query_follows_resharding_and_fails_when_the_stream_is_recreated(
    frame: Callable[..., DataFrame], new_stream: NewStream, tmp_path: Path
) -> None:
    stream, complete = new_stream(), Event()
    read: list[str] = []
    expected = sorted(f"{key}{number}" for key in "abcdef" for number in range(4))

    def keep(batch: DataFrame, _: int) -> None:
        rows: list[Any] = batch.selectExpr("string(data) text", "shardId").collect()
        read.extend(row.text for row in rows)
        if sorted(read) == expected:
            complete.set()

    query = frame(stream).writeStream.foreachBatch(keep).option("checkpointLocation", str(tmp_path)).start()
    try:
        for number, step in enumerate((stream.split, stream.merge, stream.split, stream.merge)):
            stream.put(*(f"{key}{number}" for key in "abcdef"))
            step()
        assert complete.wait(60), sorted(read)
        stream.client.delete_stream(StreamName=stream.name)
        KinesisTestStream(stream.client, stream.name)
        with pytest.raises(StreamingQueryException, match="deleted and recreated"):
            query.awaitTermination(60)
    finally:
        query.stop()
