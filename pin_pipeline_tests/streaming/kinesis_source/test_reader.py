"""The reader of the `kinesis` source on real streams, as Spark calls it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pin_pipeline.streaming.kinesis_source.options import Options
from pin_pipeline.streaming.kinesis_source.reader import KinesisReader
from pin_pipeline.streaming.kinesis_source.service import KinesisSourceError, KinesisStream
from pin_pipeline_tests.local.test_kinesis import endpoint, read
from pin_pipeline_tests.streaming.kinesis_source.conftest import Stream

NewStream = Callable[..., Stream]
Offset = dict[str, Any]


def reader_of(stream: Stream, **options: str) -> KinesisReader:
    where = {"streamName": stream.name, "endpointUrl": stream.client.meta.endpoint_url, "region": "us-east-1"}
    defaults = {"initialPosition": "trim_horizon", "minFetchPeriod": "0ms", "shardFetchInterval": "0ms"}
    return KinesisReader(Options.of(where | defaults | options))


def texts(batches: Iterable[pa.RecordBatch]) -> list[str]:
    """What a micro-batch reads, shard by shard."""
    return [value.decode() for batch in batches for value in batch.column("data").to_pylist()]


def batches(reader: KinesisReader, start: Offset) -> Iterator[tuple[Offset, list[str]]]:
    """One micro-batch after the other, until there is nothing to read: where it ends, and what it reads."""
    while True:
        records, end = reader.read(start)
        if end == start:
            assert not list(records)
            return
        yield end, texts(records)
        start = end


def test_each_record_is_read_once_and_a_later_reader_goes_on_where_the_first_has_ended(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1", "b1", "c1", "a2")
    reader = reader_of(stream)
    [(end, first)] = batches(reader, reader.initialOffset())
    assert sorted(first) == ["a1", "a2", "b1", "c1"]
    stream.put("a3", "d1")
    assert [sorted(read) for _, read in batches(reader_of(stream), end)] == [["a3", "d1"]]


def test_a_record_is_fetched_once_where_nothing_fails(new_stream: NewStream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, fetched = new_stream(), 0
    original = KinesisStream.fetch

    def counted(*arguments: Any) -> Any:
        nonlocal fetched
        answer = original(*arguments)
        fetched += len(answer.records)
        return answer

    monkeypatch.setattr(KinesisStream, "fetch", counted)
    reader = reader_of(stream, maxRecordsPerTrigger="4")
    offset, read = reader.initialOffset(), 0
    for number in range(5):
        stream.put(*(f"{key}{number}" for key in "abcdef"))
        for end, found in batches(reader, offset):
            offset, read = end, read + len(found)
    assert (read, fetched) == (30, 30)


def test_a_batch_that_is_done_again_has_the_same_records(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put(*(f"{key}{number}" for number in range(9) for key in "abc"))
    reader = reader_of(stream, maxRecordsPerTrigger="7")
    start = reader.initialOffset()
    for end, found in batches(reader, start):
        stream.put("a later one")
        again = reader_of(stream, maxRecordsPerFetch="2")
        assert texts(again.readBetweenOffsets(start, end)) == found
        start = end
        if len(found) < 2:
            break


def test_a_batch_takes_no_more_than_the_options_allow(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put(*(f"{key}{number}" for number in range(20) for key in "abc"))
    reader = reader_of(stream, maxRecordsPerTrigger="10")
    found = [read for _, read in batches(reader, reader.initialOffset())]
    assert max(map(len, found)) <= 10
    assert sum(map(len, found)) == 60


@pytest.mark.parametrize("limit", ["50000", "3"])
def test_shards_are_read_behind_their_parents(new_stream: NewStream, limit: str) -> None:
    stream = new_stream()
    sent: list[str] = []
    for step in (stream.split, stream.merge, stream.split, stream.merge, stream.merge):
        now = [f"{key}{len(sent):03d}" for key in "abcdefgh"]
        stream.put(*now)
        sent += now
        step()
    stream.put("a999")
    reader = reader_of(stream, maxRecordsPerTrigger=limit)
    read = [text for _, found in batches(reader, reader.initialOffset()) for text in found]
    assert sorted(read) == sorted([*sent, "a999"])
    for key in "abcdefgh":
        of_key = [text for text in read if text[0] == key]
        assert of_key == sorted(of_key)


def test_a_stream_is_resharded_while_it_is_read(new_stream: NewStream) -> None:
    stream = new_stream()
    reader = reader_of(stream)
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


def test_latest_and_a_moment_are_where_a_query_may_begin(new_stream: NewStream) -> None:
    stream = new_stream(shards=1)
    stream.put("a1")
    latest = reader_of(stream, initialPosition="latest")
    from_now_on = latest.initialOffset()
    [(_, everything)] = batches(reader_of(stream), reader_of(stream).initialOffset())
    stream.put("a2")
    read = [text for _, found in batches(latest, from_now_on) for text in found]
    assert (everything, read[-1]) == (["a1"], "a2")
    past = reader_of(stream, initialPosition='{"at_timestamp": "2020-01-01T00:00:00+00:00"}')
    assert [found for _, found in batches(past, past.initialOffset())] == [["a1", "a2"]]


def test_available_now_ends_at_what_had_arrived(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1", "b1")
    reader = reader_of(stream)
    start = reader.initialOffset()
    reader.prepareForTriggerAvailableNow()
    time.sleep(0.002)  # the arrival of a record is told by the millisecond
    stream.put("a2", "b2")
    assert sorted(text for _, found in batches(reader, start) for text in found) == ["a1", "b1"]


def test_a_stream_that_was_made_again_under_a_checkpoint_is_refused(new_stream: NewStream) -> None:
    stream = new_stream()
    stream.put("a1")
    [(end, _)] = batches(reader_of(stream), reader_of(stream).initialOffset())
    stream.client.delete_stream(StreamName=stream.name)
    again = Stream(stream.client, stream.name)
    with pytest.raises(KinesisSourceError, match=r"deleted and made again; start the query with a new checkpoint"):
        list(batches(reader_of(again), end))


def test_a_stream_that_is_not_there_is_named(new_stream: NewStream) -> None:
    stream = new_stream()
    with pytest.raises(
        KinesisSourceError, match=r"describe_stream_summary for stream nobody at http.*Stream nobody not found"
    ):
        reader_of(stream, streamName="nobody").initialOffset()


def test_iterators_that_expire_between_the_batches_are_made_anew(tmp_path: Path, new_stream: NewStream) -> None:
    with endpoint(tmp_path, iterator_seconds=0.3) as client:
        stream = new_stream(client)
        reader = reader_of(stream, minFetchPeriod="400ms")
        offset = reader.initialOffset()
        read: list[str] = []
        for number in range(3):
            stream.put(f"a{number}", f"b{number}")
            for end, found in batches(reader, offset):
                offset, read = end, read + found
    assert sorted(read) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_throttled_shard_is_read_later(tmp_path: Path, new_stream: NewStream) -> None:
    with endpoint(tmp_path, reads_a_second=2) as client:
        stream = new_stream(client, shards=1)
        stream.put(*(f"a{number}" for number in range(6)))
        reader = reader_of(stream, maxRecordsPerTrigger="1")
        read = [text for _, found in batches(reader, reader.initialOffset()) for text in found]
    assert read == [f"a{number}" for number in range(6)]


def test_what_aged_out_before_it_was_read_is_an_error_unless_it_may_be_lost(
    tmp_path: Path, new_stream: NewStream
) -> None:
    with endpoint(tmp_path, retention_seconds=0.5) as client:
        stream = new_stream(client, shards=1)
        stream.put("a1")
        reader = reader_of(stream)
        start = reader.initialOffset()
        end, _ = next(batches(reader, start))
        lost = [f"a{number}" for number in range(2, 5)]
        stream.put(*lost)
        while read(client, stream.name, stream.open_shards()[0]["ShardId"])["Records"]:
            pass
        stream.put("a5")
        with pytest.raises(
            KinesisSourceError, match=r"may have aged out .* to go on with those that are left, set failOnData"
        ):
            list(batches(reader_of(stream), end))
        with pytest.raises(KinesisSourceError, match=r"is there no more; to go on"):
            list(reader_of(stream).readBetweenOffsets(start, end))
        careless = reader_of(stream, failOnDataLoss="false")
        assert next(batches(careless, end))[1] == ["a5"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"streamname": ""}, "needs the option streamName"),
        ({"streamname": "s", "initialposition": "first"}, "initialPosition 'first' is none: expected latest"),
        ({"streamname": "s", "initialposition": '{"at": 1}'}, "expected latest, trim_horizon"),
        ({"streamname": "s", "maxrecordsperfetch": "10001"}, "expected a whole number from 1 to 10000"),
        ({"streamname": "s", "maxrecordspertrigger": "-1"}, "maxRecordsPerTrigger '-1' is none"),
        ({"streamname": "s", "minfetchperiod": "soon"}, "minFetchPeriod 'soon' is none: expected a time like 200ms"),
        ({"streamname": "s", "failondataloss": "maybe"}, "failOnDataLoss 'maybe' is none: expected true or false"),
        (
            {"streamname": "s", "roleArn": "arn"},
            "option 'rolearn' of the kinesis source is not known; it has streamName",
        ),
    ],
    ids=str,
)
def test_an_option_that_is_none_is_named_with_what_was_expected(options: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Options.of(options)
