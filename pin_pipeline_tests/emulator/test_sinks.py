"""Sinks of the emulator, with a real gateway, broker and streams."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import boto3
import pytest

from pin_pipeline.emulator.emulator import SendCounts, emulate
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sampling import Draws
from pin_pipeline.emulator.sinks import RecordRouteSink, Target, create_sink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.gateway.app import create_app
from pin_pipeline.local import kinesis
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.conftest import serving
from pin_pipeline_tests.helpers.rows import pin
from pin_pipeline_tests.helpers.topics import topic_records

DRAWS = Draws(40)


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("PIN_PREFIX", settings.prefix)
    with serving(create_app()) as http, Gateway(str(http.base_url)) as client:
        yield client


def run(filled_database: SourceDatabase, target: Target, settings: Settings, client: Gateway) -> None:
    sink = create_sink(target, settings, client, io.StringIO(), Path())
    counts = emulate(filled_database, sink, DRAWS, lambda _: None)
    assert counts == dict.fromkeys(RECORD_TYPES, SendCounts(sent=40, acknowledged=40, refused=0))


def drawn_rows(filled_database: SourceDatabase, record_type: str) -> Counter[str]:
    """Return the rows of the draws as JSON, regardless of their order."""
    rows = filled_database.rows(record_type, (draw.position for draw in DRAWS))
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in rows)


def normalized(values: Iterable[bytes | None]) -> Counter[str]:
    return Counter(json.dumps(json.loads(value or b""), sort_keys=True) for value in values)


def stream_records(settings: Settings, stream: str) -> list[tuple[str, bytes]]:
    """Return the partition key and data of each record of a stream."""
    client = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url, region_name=settings.region)
    records = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        position = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**position)["ShardIterator"]
        found = client.get_records(ShardIterator=iterator)["Records"]
        records += [(record["PartitionKey"], record["Data"]) for record in found]
    return records


@pytest.mark.parametrize("target", [Target.KAFKA, Target.POSTS])
def test_sink_to_topics_stores_all_rows(
    filled_database: SourceDatabase, settings: Settings, client: Gateway, target: Target
) -> None:
    run(filled_database, target, settings, client)
    for record_type in RECORD_TYPES:
        assert normalized(topic_records(settings.kafka, settings.topic(record_type)).values()) == drawn_rows(
            filled_database, record_type
        )


def test_kinesis_sink_stores_rows_on_three_streams_partitioned_by_post(
    filled_database: SourceDatabase, settings: Settings, client: Gateway, streams: dict[str, str]
) -> None:
    run(filled_database, Target.KINESIS, settings, client)
    for record_type, stream in streams.items():
        found = stream_records(settings, stream)
        assert normalized([data for _, data in found]) == drawn_rows(filled_database, record_type)
        assert all(str(json.loads(data)[RECORD_TYPES[record_type].key]) == key for key, data in found)


def test_kinesis_one_stream_sink_identifies_record_type_by_partition_key(
    filled_database: SourceDatabase, settings: Settings, client: Gateway
) -> None:
    kinesis.create_streams(settings.kinesis_endpoint_url, settings.region, [settings.one_stream])
    run(filled_database, Target.KINESIS_ONE_STREAM, settings, client)
    found = stream_records(settings, settings.one_stream)
    for record_type in RECORD_TYPES:
        assert normalized([data for key, data in found if key == record_type]) == drawn_rows(
            filled_database, record_type
        )


def test_posts_sink_reports_refused_row_with_field_name(client: Gateway) -> None:
    refusals = RecordRouteSink(client).send("pin", [pin(), pin(follower_count="many"), pin()])
    assert [refusal is None for refusal in refusals] == [True, False, True]
    assert "follower_count" in str(refusals[1])


def test_files_sink_writes_loadable_files(filled_database: SourceDatabase, settings: Settings, tmp_path: Path) -> None:
    with Gateway(settings.gateway_url) as client:
        sink = create_sink(Target.FILES, settings, client, io.StringIO(), tmp_path)
        emulate(filled_database, sink, DRAWS, lambda _: None)
        emulate(filled_database, sink, DRAWS, lambda _: None)
    reloaded = SourceDatabase(f"sqlite:///{tmp_path / 'reloaded.db'}")
    for record_type in RECORD_TYPES:
        path = tmp_path / f"{record_type}.jsonl"
        assert normalized(path.read_bytes().splitlines()) == drawn_rows(filled_database, record_type) + drawn_rows(
            filled_database, record_type
        )
        counts = reloaded.load_file(record_type, path)
        assert counts.loaded + counts.skipped == 80


def test_console_sink_prints_each_row(filled_database: SourceDatabase, settings: Settings) -> None:
    output = io.StringIO()
    with Gateway(settings.gateway_url) as client:
        emulate(filled_database, create_sink(Target.CONSOLE, settings, client, output, Path()), DRAWS, lambda _: None)
    for record_type in RECORD_TYPES:
        lines = [
            line.partition(" ")[2].encode() for line in output.getvalue().splitlines() if line.startswith(record_type)
        ]
        assert normalized(lines) == drawn_rows(filled_database, record_type)
