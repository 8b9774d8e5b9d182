"""The reader of the `kinesis` source on real streams, as Spark calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pin_pipeline.streaming.kinesis_source.options import KinesisOptions
from pin_pipeline.streaming.kinesis_source.reader import KinesisReader
from pin_pipeline.streaming.kinesis_source.service import KinesisSourceError, KinesisStream
from pin_pipeline_tests.local.test_kinesis_emulator import read, running_endpoint
from pin_pipeline_tests.streaming.kinesis_source.conftest import KinesisTestStream

NewStream = Callable[..., KinesisTestStream]
Offset = dict[str, Any]


def create_reader(stream: KinesisTestStream, **options: str) -> KinesisReader:
    connection = {"streamName": stream.name, "endpointUrl": stream.client.meta.endpoint_url, "region": "us-east-1"}
    defaults = {"initialPosition": "trim_horizon", "minFetchPeriod": "0ms", "shardFetchInterval": "0ms"}
    return KinesisReader(KinesisOptions.parse(connection | defaults | options))


def texts(batches: Iterable[pa.RecordBatch]) -> list[str]:
    """Return the data of a micro-batch, shard by shard."""
    return [value.decode() for batch in batches for value in batch.column("data").to_pylist()]


def batches(reader: KinesisReader, start: Offset) -> Iterator[tuple[Offset, list[str]]]:
    """Yield the end and the data of each micro-batch, until no records are left."""
    while True:
        records, end = reader.read(start)
        if end == start:
            assert not list(records)
            return
        yield end, texts(records)
        start = end


def test_reader_reads_each_record_once_and_resumes_at_the_end_of_the_last_batch(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1", "b1", "c1", "a2")
    reader = create_reader(stream)
    [(end, first)] = batches(reader, reader.initialOffset())
    assert sorted(first) == ["a1", "a2", "b1", "c1"]
    stream.put("a3", "d1")
    assert [sorted(read) for _, read in batches(create_reader(stream), end)] == [["a3", "d1"]]


def test_reader_fetches_each_record_once(new_stream: NewStream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, fetched = new_stream(), 0
    original = KinesisStream.fetch

    def counted(*arguments: Any) -> Any:
        nonlocal fetched
        response = original(*arguments)
        fetched += len(response.records)
        return response

    monkeypatch.setattr(KinesisStream, "fetch", counted)
    reader = create_reader(stream, maxRecordsPerTrigger="4")
    offset, read = reader.initialOffset(), 0
    for number in range(5):
        stream.put(*(f"{key}{number}" for key in "abcdef"))
        for end, found in batches(reader, offset):
            offset, read = end, read + len(found)
    assert (read, fetched) == (30, 30)


def test_repeated_batch_has_the_same_records(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put(*(f"{key}{number}" for number in range(9) for key in "abc"))
    reader = create_reader(stream, maxRecordsPerTrigger="7")
    start = reader.initialOffset()
    for end, found in batches(reader, start):
        stream.put("a later one")
        again = create_reader(stream, maxRecordsPerFetch="2")
        assert texts(again.readBetweenOffsets(start, end)) == found
        start = end
        if len(found) < 2:
            break


def test_batch_has_at_most_max_records_per_trigger(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put(*(f"{key}{number}" for number in range(20) for key in "abc"))
    reader = create_reader(stream, maxRecordsPerTrigger="10")
    found = [read for _, read in batches(reader, reader.initialOffset())]
    assert max(map(len, found)) <= 10
    assert sum(map(len, found)) == 60


@pytest.mark.parametrize("limit", ["50000", "3"])
def test_shards_are_read_after_their_parents(new_stream: NewStream, limit: str) -> None:
    stream = new_stream()
    sent: list[str] = []
    for step in (stream.split, stream.merge, stream.split, stream.merge, stream.merge):
        batch = [f"{key}{len(sent):03d}" for key in "abcdefgh"]
        stream.put(*batch)
        sent += batch
        step()
    stream.put("a999")
    reader = create_reader(stream, maxRecordsPerTrigger=limit)
    read = [text for _, found in batches(reader, reader.initialOffset()) for text in found]
    assert sorted(read) == sorted([*sent, "a999"])
    for key in "abcdefgh":
        with_key = [text for text in read if text[0] == key]
        assert with_key == sorted(with_key)


def test_reader_follows_resharding(new_stream: NewStream) -> None:
    stream = new_stream()
    reader = create_reader(stream)
    offset, sent = reader.initialOffset(), 0
    read: list[str] = []
    for step in (stream.split, stream.split, stream.merge, stream.merge):
        stream.put(*(f"{key}{sent}" for key in "abcdefgh"))
        step()
        stream.put(*(f"{key}{sent + 1}" for key in "abcdefgh"))
        sent += 2
        for end, found in batches(reader, offset):
            offset, read = end, read + found
    assert sorted(read) == sorted(f"{key}{number}" for key in "abcdefgh" for number in range(sent))


def test_initial_position_can_be_latest_or_a_timestamp(new_stream: NewStream) -> None:
    stream = new_stream(shards=1)
    stream.put("a1")
    latest = create_reader(stream, initialPosition="latest")
    end_of_stream = latest.initialOffset()
    [(_, everything)] = batches(create_reader(stream), create_reader(stream).initialOffset())
    stream.put("a2")
    read = [text for _, found in batches(latest, end_of_stream) for text in found]
    assert (everything, read[-1]) == (["a1"], "a2")
    past = create_reader(stream, initialPosition='{"at_timestamp": "2020-01-01T00:00:00+00:00"}')
    assert [found for _, found in batches(past, past.initialOffset())] == [["a1", "a2"]]


def test_available_now_ends_at_the_records_that_had_arrived(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1", "b1")
    reader = create_reader(stream)
    start = reader.initialOffset()
    reader.prepareForTriggerAvailableNow()
    time.sleep(0.002)  # arrival times have a resolution of 1 ms
    stream.put("a2", "b2")
    assert sorted(text for _, found in batches(reader, start) for text in found) == ["a1", "b1"]


def test_recreated_stream_is_refused(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1")
    [(end, _)] = batches(create_reader(stream), create_reader(stream).initialOffset())
    stream.client.delete_stream(StreamName=stream.name)
    recreated = KinesisTestStream(stream.client, stream.name)
    with pytest.raises(
        KinesisSourceError, match=r"the stream was deleted and recreated; start the query with a new checkpoint"
    ):
        list(batches(create_reader(recreated), end))


def test_missing_stream_is_named(new_stream: NewStream) -> None:
    stream = new_stream()
    with pytest.raises(
        KinesisSourceError,
        match=r"Kinesis describe_stream_summary failed for stream 'nobody' at http.*Stream nobody not found",
    ):
        create_reader(stream, streamName="nobody").initialOffset()


def test_iterators_that_expire_between_batches_are_replaced(tmp_path: Path, new_stream: NewStream) -> None:
    with running_endpoint(tmp_path, iterator_seconds=0.3) as client:
        stream = new_stream(client)
        reader = create_reader(stream, minFetchPeriod="400ms")
        offset = reader.initialOffset()
        read: list[str] = []
        for number in range(3):
            stream.put(f"a{number}", f"b{number}")
            for end, found in batches(reader, offset):
                offset, read = end, read + found
    assert sorted(read) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_throttled_shard_is_read_completely(tmp_path: Path, new_stream: NewStream) -> None:
    with running_endpoint(tmp_path, reads_per_second=2) as client:
        stream = new_stream(client, shards=1)
        stream.put(*(f"a{number}" for number in range(6)))
        reader = create_reader(stream, maxRecordsPerTrigger="1")
        read = [text for _, found in batches(reader, reader.initialOffset()) for text in found]
    assert read == [f"a{number}" for number in range(6)]


def test_aged_out_records_are_an_error_unless_data_loss_is_allowed(tmp_path: Path, new_stream: NewStream) -> None:
    with running_endpoint(tmp_path, retention_seconds=0.5) as client:
        stream = new_stream(client, shards=1)
        stream.put("a1")
        reader = create_reader(stream)
        start = reader.initialOffset()
        end, _ = next(batches(reader, start))
        lost = [f"a{number}" for number in range(2, 5)]
        stream.put(*lost)
        while read(client, stream.name, stream.open_shards()[0]["ShardId"])["Records"]:
            pass
        stream.put("a5")
        with pytest.raises(
            KinesisSourceError, match=r"may have aged out .* to continue with the remaining records, set failOnDataLoss"
        ):
            list(batches(create_reader(stream), end))
        with pytest.raises(KinesisSourceError, match=r"no longer exists; to continue"):
            list(create_reader(stream).readBetweenOffsets(start, end))
        tolerant = create_reader(stream, failOnDataLoss="false")
        assert next(batches(tolerant, end))[1] == ["a5"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"streamname": ""}, "missing option streamName"),
        ({"streamname": "s", "initialposition": "first"}, "invalid initialPosition 'first': expected latest"),
        ({"streamname": "s", "initialposition": '{"at": 1}'}, "expected latest, trim_horizon"),
        ({"streamname": "s", "maxrecordsperfetch": "10001"}, "expected an integer from 1 to 10000"),
        ({"streamname": "s", "maxrecordspertrigger": "-1"}, "invalid maxRecordsPerTrigger '-1'"),
        (
            {"streamname": "s", "minfetchperiod": "soon"},
            "invalid minFetchPeriod 'soon': expected a duration such as 200ms",
        ),
        ({"streamname": "s", "failondataloss": "maybe"}, "invalid failOnDataLoss 'maybe': expected true or false"),
        (
            {"streamname": "s", "roleArn": "arn"},
            "unknown option 'rolearn' of the kinesis source: expected one of streamName",
        ),
    ],
    ids=str,
)
def test_invalid_option_is_named_with_the_expected_values(options: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        KinesisOptions.parse(options)
