"""Delta sink: each record is published or quarantined once, also after the loss of a checkpoint, table or stream."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import deltalake
import pyarrow as pa
import pytest
from deltalake import Field
from deltalake.schema import PrimitiveType

from pin_pipeline.local.kinesis import create_streams
from pin_pipeline.reconciliation.stream import reconcile_configured_stream
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming import stream_table
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.shard_progress import ShardProgress
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.streaming.classified_rows import classify_stream_records
from pin_pipeline_tests.streaming.conftest import KinesisProducer, delete_table

CatchUp = Callable[..., None]


def published_keys(lake: Lake, record_type: str = "pin") -> list[int]:
    """Return the keys in a stream's table, with duplicates."""
    return sorted(lake.require(f"streams/{record_type}").query("select ind from t")["ind"].to_pylist())


def quarantined(lake: Lake, record_type: str = "pin") -> list[tuple[str, bytes]]:
    """Return the reason and bytes of each record in a stream's quarantine."""
    rows = lake.require(f"quarantine/streams/{record_type}").query("select reason, bytes from t").to_pylist()
    return sorted((row["reason"], row["bytes"]) for row in rows)


def reconciled_totals(settings: Settings) -> dict[str, int]:
    """Reconcile all record types, assert that there are no findings, and return the total counts."""
    findings = [reconcile_configured_stream(record_type, settings)[1] for record_type in RECORD_TYPES.values()]
    assert [sentence for finding in findings for sentence in finding.sentences()] == []
    names = ("landed", "published", "quarantined", "waiting")
    return {name: sum(finding.total(name) for finding in findings) for name in names}


def test_delta_sink_publishes_with_position_and_quarantines_with_bytes(
    catch_up: CatchUp, kinesis: KinesisProducer, isolated: Settings, lake: Lake
) -> None:
    kinesis.post(isolated.stream("pin"), "a", pin(1), b"poison", pin(2, follower_count="many"), user(3))
    kinesis.post(isolated.stream("geo"), "b", geo(1), user(1))
    kinesis.post(isolated.stream("user"), "c", user(1))
    catch_up()
    [row] = lake.require("streams/pin").query("select * from t").to_pylist()
    assert (row["ind"], row["follower_count"], row["save_location"]) == (1, 12_000, "/data/art")
    assert row["source_stream"] == isolated.stream("pin")
    assert {column.name for column in (*PIN.columns, *STREAM_POSITION)} == row.keys()
    assert [reason for reason, _ in quarantined(lake)] == ["invalid_value", "no_key", "not_json"]
    assert ("not_json", b"poison") in quarantined(lake)
    assert [reason for reason, _ in quarantined(lake, "geo")] == ["another_kind"]
    assert (published_keys(lake, "geo"), published_keys(lake, "user")) == ([1], [1])
    progress = ShardProgress.of(lake.require("streams/pin"))
    assert (progress.records, progress.quarantined) == (4, 3)
    catch_up()
    assert lake.require("streams/pin").query("select * from t").to_pylist() == [row]
    assert reconciled_totals(isolated) == {"landed": 7, "published": 3, "quarantined": 4, "waiting": 0}


def test_shared_stream_is_split_by_partition_key_and_unknown_keys_are_kept(
    catch_up: CatchUp, kinesis: KinesisProducer, isolated: Settings, lake: Lake
) -> None:
    shared = isolated.model_copy(update={"share_one_stream": True})
    create_streams(isolated.kinesis_endpoint_url, isolated.region, [shared.one_stream])
    for key, row in (("pin", pin(1)), ("geo", geo(2)), ("user", user(3)), ("other", pin(4)), ("else", user(5))):
        kinesis.post(shared.one_stream, key, row)
    catch_up(settings=shared)
    assert [published_keys(lake, record_type) for record_type in RECORD_TYPES] == [[1, 4], [2], [3]]
    assert reconciled_totals(shared) == {"landed": 5, "published": 4, "quarantined": 1, "waiting": 0}
    assert [reason for reason, _ in quarantined(lake)] == ["no_key"]


def test_lost_checkpoint_restarts_the_query_without_duplicates(
    catch_up: CatchUp, kinesis: KinesisProducer, isolated: Settings, lake: Lake
) -> None:
    kinesis.post(isolated.stream("pin"), "a", pin(1), b"poison")
    catch_up(tables=1)
    shutil.rmtree(urlsplit(isolated.checkpoints).path)
    kinesis.post(isolated.stream("pin"), "b", pin(2), b"venom")
    catch_up(tables=1)
    assert published_keys(lake) == [1, 2]
    assert quarantined(lake) == [("not_json", b"poison"), ("not_json", b"venom")]


@pytest.mark.parametrize("deleted", ["streams/pin", "quarantine/streams/pin"])
def test_deleted_table_is_refilled_without_duplicates_in_the_other(
    catch_up: CatchUp, kinesis: KinesisProducer, isolated: Settings, lake: Lake, deleted: str
) -> None:
    kinesis.post(isolated.stream("pin"), "a", pin(1), b"poison", pin(2))
    catch_up(tables=1)
    delete_table(lake, deleted)
    kinesis.post(isolated.stream("pin"), "a", pin(3))
    catch_up(tables=1)
    assert published_keys(lake) == [1, 2, 3]
    assert quarantined(lake) == [("not_json", b"poison")]


def test_recreated_stream_is_read_from_its_start(
    catch_up: CatchUp, kinesis: KinesisProducer, isolated: Settings, lake: Lake
) -> None:
    stream = isolated.stream("pin")
    kinesis.post(stream, "a", pin(1))
    catch_up(tables=1)
    kinesis.client.delete_stream(StreamName=stream)
    create_streams(isolated.kinesis_endpoint_url, isolated.region, [stream])
    kinesis.post(stream, "a", pin(2))
    catch_up(tables=1)
    assert published_keys(lake) == [1, 2]


def classified_pins(*numbers: int) -> pa.Table:
    """Return classified pins; those with odd numbers are rejected."""
    bodies = {number: b"poison" if number % 2 else json.dumps(pin(number)).encode() for number in numbers}
    return classify_stream_records((f"shardId-{number % 2}", str(number), body) for number, body in bodies.items())


@pytest.fixture
def sink(lake: Lake) -> Callable[[], DeltaSink]:
    """Factory of sinks that write the same tables."""
    return lambda: DeltaSink(lake, PIN, ("s", 1))


def test_concurrent_sinks_create_no_duplicates_and_no_gaps(sink: Callable[[], DeltaSink], lake: Lake) -> None:
    one, other = sink(), sink()
    batches = [classified_pins(*numbers) for numbers in ((1, 2, 3, 4), (1, 2, 3, 4, 5, 6), (7, 8))]
    one.write(batches[0])
    other.write(batches[0])
    other.write(batches[1])
    one.write(batches[1])
    one.write(batches[2])
    assert published_keys(lake) == [2, 4, 6, 8]
    assert len(quarantined(lake)) == 4
    assert ShardProgress.of(lake.require("streams/pin")).records == 8


def test_columns_that_another_writer_has_added_are_kept(sink: Callable[[], DeltaSink], lake: Lake) -> None:
    running = sink()
    running.write(classified_pins(1, 2))
    keys = ("streams/pin", "quarantine/streams/pin")
    for key in keys:
        lake.load(key).delta.alter.add_columns([Field("note", PrimitiveType("string"))])
        lake.load(key).delta.update({"note": "'a note'"})
    running.write(classified_pins(3, 4))
    sink().write(classified_pins(5, 6))
    assert (published_keys(lake), len(quarantined(lake))) == ([2, 4, 6], 3)
    for key in keys:
        notes = lake.require(key).query("select note from t")["note"].to_pylist()
        assert sorted(notes, key=str) == [None, None, "a note"]


def test_batch_killed_between_both_tables_is_repeated_without_duplicates(
    sink: Callable[[], DeltaSink], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = classified_pins(1, 2, 3)
    first = iter([True])

    def killed_at_second_call(*arguments: Any, **options: Any) -> None:
        if not next(first, False):
            raise KeyboardInterrupt
        deltalake.write_deltalake(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stream_table, "write_deltalake", killed_at_second_call)
        with pytest.raises(KeyboardInterrupt):
            sink().write(batch)
    assert (published_keys(lake), len(quarantined(lake))) == ([], 2)
    sink().write(batch)
    assert (published_keys(lake), len(quarantined(lake))) == ([2], 2)


def test_many_commits_leave_few_files_and_every_row(
    sink: Callable[[], DeltaSink], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_table, "VACUUM_EVERY", 100)
    no_retention = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
    monkeypatch.setattr(stream_table, "STREAM_PROPERTIES", stream_table.STREAM_PROPERTIES | no_retention)
    writer = sink()
    for number in range(0, 300, 2):
        writer.write(classified_pins(number))
    table = lake.require("streams/pin")
    assert published_keys(lake) == list(range(0, 300, 2))
    assert len(table.delta.file_uris()) < 60
    assert ShardProgress.of(table).records == 150
    objects = boto3.resource("s3", endpoint_url=lake.endpoint_url).Bucket(lake.bucket).objects
    files = [file.key for file in objects.filter(Prefix=f"{lake.root}/streams/pin/part-")]
    assert len(table.delta.file_uris()) <= len(files) < 120  # more than 150 were written
