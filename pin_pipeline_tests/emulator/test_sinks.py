"""Every sink, with the real gateway, broker and streams behind it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import boto3
import pytest

from pin_pipeline.emulator.emulator import Counts, emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import Posts, Target, sink_of
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import kinesis
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.helpers.rows import pin
from pin_pipeline_tests.helpers.topics import stored as on_topic

DRAWS = Draws(40)


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("PIN_PREFIX", settings.prefix)
    with serving(create_app()) as http, Gateway(str(http.base_url)) as client:
        yield client


def run(filled: SourceDatabase, target: Target, settings: Settings, client: Gateway) -> None:
    sink = sink_of(target, settings, client, io.StringIO(), Path())
    counts = emulate(filled, sink, DRAWS, lambda _: None)
    assert counts == dict.fromkeys(RECORD_TYPES, Counts(sent=40, acknowledged=40, refused=0))


def drawn(filled: SourceDatabase, record_type: str) -> Counter[str]:
    """The rows of the draws as JSON, whatever their order."""
    rows = filled.rows(record_type, (draw.position for draw in DRAWS))
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in rows)


def same(values: Iterable[bytes | None]) -> Counter[str]:
    return Counter(json.dumps(json.loads(value or b""), sort_keys=True) for value in values)


def stored(settings: Settings, stream: str) -> list[tuple[str, bytes]]:
    """What a stream holds: partition key and data."""
    client = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region)
    found = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        where = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**where)["ShardIterator"]
        records = client.get_records(ShardIterator=iterator)["Records"]
        found += [(record["PartitionKey"], record["Data"]) for record in records]
    return found


@pytest.mark.parametrize("target", [Target.KAFKA, Target.POSTS])
def test_rows_are_on_the_topics(filled: SourceDatabase, settings: Settings, client: Gateway, target: Target) -> None:
    run(filled, target, settings, client)
    for record_type in RECORD_TYPES:
        assert same(on_topic(settings.kafka, settings.topic(record_type)).values()) == drawn(filled, record_type)


def test_rows_are_on_three_streams_and_those_of_a_post_on_one_shard(
    filled: SourceDatabase, settings: Settings, client: Gateway, streams: dict[str, str]
) -> None:
    run(filled, Target.KINESIS, settings, client)
    for record_type, stream in streams.items():
        found = stored(settings, stream)
        assert same([data for _, data in found]) == drawn(filled, record_type)
        assert all(str(json.loads(data)[RECORD_TYPES[record_type].key]) == key for key, data in found)


def test_rows_of_all_kinds_are_on_one_stream_told_apart_by_the_partition_key(
    filled: SourceDatabase, settings: Settings, client: Gateway
) -> None:
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, [settings.one_stream])
    run(filled, Target.KINESIS_ONE_STREAM, settings, client)
    found = stored(settings, settings.one_stream)
    for record_type in RECORD_TYPES:
        assert same([data for key, data in found if key == record_type]) == drawn(filled, record_type)


def test_a_row_that_does_not_fit_is_refused_by_name_and_counted(client: Gateway) -> None:
    refusals = Posts(client).send("pin", [pin(), pin(follower_count="many"), pin()])
    assert [refusal is None for refusal in refusals] == [True, False, True]
    assert "follower_count" in str(refusals[1])


def test_files_hold_what_can_be_loaded_again(filled: SourceDatabase, settings: Settings, tmp_path: Path) -> None:
    with Gateway(settings.gateway_url) as client:
        sink = sink_of(Target.FILES, settings, client, io.StringIO(), tmp_path)
        emulate(filled, sink, DRAWS, lambda _: None)
        emulate(filled, sink, DRAWS, lambda _: None)
    again = SourceDatabase(f"sqlite:///{tmp_path / 'again.db'}")
    for record_type in RECORD_TYPES:
        path = tmp_path / f"{record_type}.jsonl"
        assert same(path.read_bytes().splitlines()) == drawn(filled, record_type) + drawn(filled, record_type)
        assert again.load_file(record_type, path) == 80


def test_the_console_shows_each_row(filled: SourceDatabase, settings: Settings) -> None:
    output = io.StringIO()
    with Gateway(settings.gateway_url) as client:
        emulate(filled, sink_of(Target.CONSOLE, settings, client, output, Path()), DRAWS, lambda _: None)
    for record_type in RECORD_TYPES:
        lines = [
            line.partition(" ")[2].encode() for line in output.getvalue().splitlines() if line.startswith(record_type)
        ]
        assert same(lines) == drawn(filled, record_type)
