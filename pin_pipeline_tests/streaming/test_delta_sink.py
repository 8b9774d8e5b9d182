"""Kinesis into Delta: published or quarantined, once, whatever becomes of checkpoint, table and stream."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import deltalake
import pyarrow as pa
import pytest

from pin_pipeline.local.kinesis import create_streams
from pin_pipeline.reconciliation.stream import reconcile_stream_of
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.records.positions import STREAM_POSITION
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.streaming import delta_sink
from pin_pipeline.streaming.delta_sink import DeltaSink
from pin_pipeline.streaming.shard_progress import ShardProgress
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.streaming.classified_rows import of_stream
from pin_pipeline_tests.streaming.conftest import Kinesis

CatchUp = Callable[..., None]


def inds(lake: Lake, record_type: str = "pin") -> list[int]:
    """The keys of a stream's table, each as often as it is there."""
    return sorted(lake.existing(f"streams/{record_type}").query("select ind from t")["ind"].to_pylist())


def quarantined(lake: Lake, record_type: str = "pin") -> list[tuple[str, bytes]]:
    """What is in a stream's quarantine."""
    rows = lake.existing(f"quarantine/streams/{record_type}").query("select reason, bytes from t").to_pylist()
    return sorted((row["reason"], row["bytes"]) for row in rows)


def audited(settings: Settings) -> dict[str, int]:
    """What the auditor counts over all kinds, when it finds nothing wrong."""
    findings = [reconcile_stream_of(record_type, settings)[1] for record_type in RECORD_TYPES.values()]
    assert [sentence for each in findings for sentence in each.sentences()] == []
    names = ("landed", "published", "quarantined", "waiting")
    return {name: sum(each.total(name) for each in findings) for name in names}


def delete(lake: Lake, key: str) -> None:
    """Delete a table's folder, as somebody does by hand."""
    objects = boto3.resource("s3", endpoint_url=lake.endpoint_url).Bucket(lake.bucket).objects
    objects.filter(Prefix=f"{lake.root}/{key}/").delete()


def test_what_fits_is_published_with_its_position_and_the_rest_is_quarantined_with_its_bytes(
    catch_up: CatchUp, kinesis: Kinesis, here: Settings, lake: Lake
) -> None:
    kinesis.post(here.stream("pin"), "a", pin(1), b"poison", pin(2, follower_count="many"), user(3))
    kinesis.post(here.stream("geo"), "b", geo(1), user(1))
    kinesis.post(here.stream("user"), "c", user(1))
    catch_up()
    [row] = lake.existing("streams/pin").query("select * from t").to_pylist()
    assert (row["ind"], row["follower_count"], row["save_location"]) == (1, 12_000, "/data/art")
    assert row["source_stream"] == here.stream("pin")
    assert {column.name for column in (*PIN.columns, *STREAM_POSITION)} == row.keys()
    assert [reason for reason, _ in quarantined(lake)] == ["invalid_value", "no_key", "not_json"]
    assert ("not_json", b"poison") in quarantined(lake)
    assert [reason for reason, _ in quarantined(lake, "geo")] == ["another_kind"]
    assert (inds(lake, "geo"), inds(lake, "user")) == ([1], [1])
    shard_progress = ShardProgress.of(lake.existing("streams/pin"))
    assert (shard_progress.records, shard_progress.quarantined) == (4, 3)
    catch_up()
    assert lake.existing("streams/pin").query("select * from t").to_pylist() == [row]
    assert audited(here) == {"landed": 7, "published": 3, "quarantined": 4, "waiting": 0}


def test_a_shared_stream_is_split_by_partition_key_and_a_key_of_no_kind_loses_nothing(
    catch_up: CatchUp, kinesis: Kinesis, here: Settings, lake: Lake
) -> None:
    shared = replace(here, share_one_stream=True)
    create_streams(here.kinesis_endpoint_url, here.region, [shared.one_stream])
    for key, row in (("pin", pin(1)), ("geo", geo(2)), ("user", user(3)), ("other", pin(4)), ("else", user(5))):
        kinesis.post(shared.one_stream, key, row)
    catch_up(settings=shared)
    assert [inds(lake, record_type) for record_type in RECORD_TYPES] == [[1, 4], [2], [3]]
    assert audited(shared) == {"landed": 5, "published": 4, "quarantined": 1, "waiting": 0}
    assert [reason for reason, _ in quarantined(lake)] == ["no_key"]


def test_without_its_checkpoint_a_query_begins_anew_and_doubles_nothing(
    catch_up: CatchUp, kinesis: Kinesis, here: Settings, lake: Lake
) -> None:
    kinesis.post(here.stream("pin"), "a", pin(1), b"poison")
    catch_up(tables=1)
    shutil.rmtree(urlsplit(here.checkpoints).path)
    kinesis.post(here.stream("pin"), "b", pin(2), b"venom")
    catch_up(tables=1)
    assert inds(lake) == [1, 2]
    assert quarantined(lake) == [("not_json", b"poison"), ("not_json", b"venom")]


@pytest.mark.parametrize("deleted", ["streams/pin", "quarantine/streams/pin"])
def test_a_table_that_was_deleted_gets_everything_again_and_the_other_nothing_twice(
    catch_up: CatchUp, kinesis: Kinesis, here: Settings, lake: Lake, deleted: str
) -> None:
    kinesis.post(here.stream("pin"), "a", pin(1), b"poison", pin(2))
    catch_up(tables=1)
    delete(lake, deleted)
    kinesis.post(here.stream("pin"), "a", pin(3))
    catch_up(tables=1)
    assert inds(lake) == [1, 2, 3]
    assert quarantined(lake) == [("not_json", b"poison")]


def test_a_stream_that_was_made_again_while_nobody_read_is_read_from_its_beginning(
    catch_up: CatchUp, kinesis: Kinesis, here: Settings, lake: Lake
) -> None:
    stream = here.stream("pin")
    kinesis.post(stream, "a", pin(1))
    catch_up(tables=1)
    kinesis.client.delete_stream(StreamName=stream)
    create_streams(here.kinesis_endpoint_url, here.region, [stream])
    kinesis.post(stream, "a", pin(2))
    catch_up(tables=1)
    assert inds(lake) == [1, 2]


def classified(*numbers: int) -> pa.Table:
    """Pins as Spark judges them; odd ones do not fit."""
    bodies = {number: b"poison" if number % 2 else json.dumps(pin(number)).encode() for number in numbers}
    return of_stream((f"shardId-{number % 2}", str(number), body) for number, body in bodies.items())


@pytest.fixture
def sink(lake: Lake) -> Callable[[], DeltaSink]:
    """Makes writers of one table."""
    return lambda: DeltaSink(lake, PIN, ("s", 1))


def test_two_writers_of_one_table_double_nothing_and_lose_nothing(sink: Callable[[], DeltaSink], lake: Lake) -> None:
    one, other = sink(), sink()
    batches = [classified(*numbers) for numbers in ((1, 2, 3, 4), (1, 2, 3, 4, 5, 6), (7, 8))]
    one.write(batches[0])
    other.write(batches[0])
    other.write(batches[1])
    one.write(batches[1])
    one.write(batches[2])
    assert inds(lake) == [2, 4, 6, 8]
    assert len(quarantined(lake)) == 4
    assert ShardProgress.of(lake.existing("streams/pin")).records == 8


def test_a_batch_that_was_killed_between_its_two_tables_is_done_again_without_doubling(
    sink: Callable[[], DeltaSink], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = classified(1, 2, 3)
    first = iter([True])

    def killed_at_the_second(*arguments: Any, **options: Any) -> None:
        if not next(first, False):
            raise KeyboardInterrupt
        deltalake.write_deltalake(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(delta_sink, "write_deltalake", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            sink().write(batch)
    assert (inds(lake), len(quarantined(lake))) == ([], 2)
    sink().write(batch)
    assert (inds(lake), len(quarantined(lake))) == ([2], 2)


def test_many_commits_leave_few_files_a_short_log_and_every_row(
    sink: Callable[[], DeltaSink], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_sink, "VACUUM_EVERY", 100)
    at_once = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}
    monkeypatch.setattr(delta_sink, "STREAM_PROPERTIES", delta_sink.STREAM_PROPERTIES | at_once)
    writer = sink()
    for number in range(0, 300, 2):
        writer.write(classified(number))
    table = lake.existing("streams/pin")
    assert inds(lake) == list(range(0, 300, 2))
    assert len(table.delta.file_uris()) < 60
    assert ShardProgress.of(table).records == 150
    objects = boto3.resource("s3", endpoint_url=lake.endpoint_url).Bucket(lake.bucket).objects
    files = [one.key for one in objects.filter(Prefix=f"{lake.root}/streams/pin/part-")]
    assert len(table.delta.file_uris()) <= len(files) < 120  # of more than 150 that were written
