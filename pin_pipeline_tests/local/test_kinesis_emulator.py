"""Kinesis emulator: behaviour of streams, shards and records as the AWS documentation describes it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pin_pipeline.local import kinesis, ports
from pin_pipeline.local.kinesis_emulator.quotas import Quotas
from pin_pipeline.local.kinesis_emulator.service import KinesisService
from pin_pipeline.local.kinesis_emulator.stream_store import StreamStore, hash_key
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.settings import Settings
from pin_pipeline_tests.helpers.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

HASH_KEYS = 2**128
Json = dict[str, Any]


@contextmanager
def running_endpoint(home: Path, **quotas: object) -> Iterator[KinesisClient]:
    """Start an endpoint with the given quotas, and yield a client."""
    server, process = kinesis.server(home, ports.free_port()), ServerProcess(home, "kinesis")
    with patch.dict(os.environ, {f"PIN_KINESIS_{name.upper()}": str(value) for name, value in quotas.items()}):
        process.start(server)
    try:
        process.wait_until_ready(server)
        yield client_at(server.address)
    finally:
        process.stop()


def client_at(address: str | None) -> KinesisClient:
    no_retries = Config(retries={"total_max_attempts": 1})
    client: KinesisClient = boto3.client("kinesis", endpoint_url=address, region_name="us-east-1", config=no_retries)
    return client


@pytest.fixture
def kinesis_client(local_environment: Settings) -> KinesisClient:
    return client_at(local_environment.kinesis_endpoint_url)


@pytest.fixture
def stream(kinesis_client: KinesisClient, settings: Settings) -> str:
    """A stream with two shards."""
    kinesis_client.create_stream(StreamName=settings.prefix, ShardCount=2)
    return settings.prefix


def shards(client: KinesisClient, stream: str) -> list[Any]:
    listed: list[Any] = client.list_shards(StreamName=stream)["Shards"]
    return listed


def put(client: KinesisClient, stream: str, *keys: str) -> list[Any]:
    records: list[Any] = [{"PartitionKey": key, "Data": f"{key} {number}".encode()} for number, key in enumerate(keys)]
    results: list[Any] = client.put_records(StreamName=stream, Records=records)["Records"]
    return results


def read(client: KinesisClient, stream: str, shard: str, start: Any = "TRIM_HORIZON", **position: Any) -> Json:
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=start, **position)
    return dict(client.get_records(ShardIterator=iterator["ShardIterator"]))


def data(response: Json) -> list[bytes]:
    return [record["Data"] for record in response["Records"]]


def raises_client_error(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_put_records_routes_by_key_hash_and_get_records_returns_them_in_order(
    kinesis_client: KinesisClient, stream: str
) -> None:
    keys = ["pin", "geo", "user", "pin", "x"]
    results = put(kinesis_client, stream, *keys)
    for shard in shards(kinesis_client, stream):
        low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        expected = [number for number, key in enumerate(keys) if low <= hash_key(key) <= high]
        response = read(kinesis_client, stream, shard["ShardId"])
        assert data(response) == [f"{keys[number]} {number}".encode() for number in expected]
        sequences = [record["SequenceNumber"] for record in response["Records"]]
        assert sequences == [results[number]["SequenceNumber"] for number in expected] == sorted(sequences, key=int)
        assert {results[number]["ShardId"] for number in expected} <= {shard["ShardId"]}
        assert response["MillisBehindLatest"] == 0


def test_shard_iterator_types_start_at_their_position(kinesis_client: KinesisClient, stream: str) -> None:
    [first, _, _] = put(kinesis_client, stream, "a", "a", "a")
    shard, sequence = first["ShardId"], first["SequenceNumber"]
    moment = read(kinesis_client, stream, shard)["Records"][0]["ApproximateArrivalTimestamp"]
    assert len(data(read(kinesis_client, stream, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=sequence))) == 3
    assert len(data(read(kinesis_client, stream, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=sequence))) == 2
    assert len(data(read(kinesis_client, stream, shard, "AT_TIMESTAMP", Timestamp=moment))) == 3
    assert data(read(kinesis_client, stream, shard, "LATEST")) == []


def test_split_shard_closes_the_parent_and_later_records_go_to_its_children(
    kinesis_client: KinesisClient, stream: str
) -> None:
    [before] = put(kinesis_client, stream, "a")
    parent = next(shard for shard in shards(kinesis_client, stream) if shard["ShardId"] == before["ShardId"])
    middle = (int(parent["HashKeyRange"]["StartingHashKey"]) + int(parent["HashKeyRange"]["EndingHashKey"])) // 2
    kinesis_client.split_shard(StreamName=stream, ShardToSplit=parent["ShardId"], NewStartingHashKey=str(middle))
    [after] = put(kinesis_client, stream, "a")
    children = [shard for shard in shards(kinesis_client, stream) if shard.get("ParentShardId") == parent["ShardId"]]
    assert len(children) == 2
    assert after["ShardId"] in {child["ShardId"] for child in children}
    assert int(after["SequenceNumber"]) > int(before["SequenceNumber"])
    closed = read(kinesis_client, stream, parent["ShardId"])
    assert data(closed) == [b"a 0"]
    assert "NextShardIterator" not in closed
    assert {child["ShardId"] for child in closed["ChildShards"]} == {child["ShardId"] for child in children}
    [ended] = [shard for shard in shards(kinesis_client, stream) if shard["ShardId"] == parent["ShardId"]]
    assert int(ended["SequenceNumberRange"]["EndingSequenceNumber"]) >= int(before["SequenceNumber"])


def test_merge_shards_creates_one_child(kinesis_client: KinesisClient, stream: str) -> None:
    shard, adjacent = (each["ShardId"] for each in shards(kinesis_client, stream))
    kinesis_client.merge_shards(StreamName=stream, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
    *_, child = shards(kinesis_client, stream)
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (shard, adjacent)
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(HASH_KEYS - 1)}


def test_recreated_stream_refuses_positions_of_the_earlier_one(kinesis_client: KinesisClient, stream: str) -> None:
    [old] = put(kinesis_client, stream, "a")
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=old["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    kinesis_client.delete_stream(StreamName=stream)
    time.sleep(0.002)  # streams of the same name are distinguished by the millisecond of their creation
    kinesis_client.create_stream(StreamName=stream, ShardCount=2)
    with raises_client_error("InvalidArgumentException.*did not come from"):
        read(
            kinesis_client,
            stream,
            old["ShardId"],
            "AFTER_SEQUENCE_NUMBER",
            StartingSequenceNumber=old["SequenceNumber"],
        )
    with raises_client_error("ResourceNotFoundException"):
        kinesis_client.get_records(ShardIterator=iterator)


def test_invalid_requests_are_refused_with_the_error_codes_of_aws(kinesis_client: KinesisClient, stream: str) -> None:
    one, other = shards(kinesis_client, stream)
    calls: list[tuple[str, Callable[[], object]]] = [
        ("ResourceNotFoundException", lambda: kinesis_client.describe_stream(StreamName="nobody")),
        ("ResourceInUseException", lambda: kinesis_client.create_stream(StreamName=stream, ShardCount=1)),
        ("ResourceNotFoundException", lambda: read(kinesis_client, stream, "shardId-000000000009")),
        ("InvalidArgumentException", lambda: kinesis_client.get_records(ShardIterator="none")),
        ("ValidationException", lambda: put(kinesis_client, stream, *["a"] * 501)),
        (
            "ValidationException",
            lambda: kinesis_client.put_record(StreamName=stream, PartitionKey="a", Data=b"x" * (2**20 + 1)),
        ),
        (
            "InvalidArgumentException.*not within",
            lambda: kinesis_client.split_shard(
                StreamName=stream,
                ShardToSplit=one["ShardId"],
                NewStartingHashKey=other["HashKeyRange"]["EndingHashKey"],
            ),
        ),
        (
            "InvalidArgumentException.*not adjacent",
            lambda: kinesis_client.merge_shards(
                StreamName=stream, ShardToMerge=one["ShardId"], AdjacentShardToMerge=one["ShardId"]
            ),
        ),
    ]
    for code, call in calls:
        with raises_client_error(code):
            call()


def test_acknowledged_records_survive_sigkill(tmp_path: Path) -> None:
    with running_endpoint(tmp_path) as client:
        client.create_stream(StreamName="kept", ShardCount=1)
        [result] = put(client, "kept", "a")
        os.killpg(ServerProcess(tmp_path, "kinesis").pid, signal.SIGKILL)
    with running_endpoint(tmp_path) as client:
        [record] = read(client, "kept", result["ShardId"])["Records"]
        assert (record["SequenceNumber"], record["Data"]) == (result["SequenceNumber"], b"a 0")


def test_get_records_refuses_expired_iterators_and_throttles_reads(tmp_path: Path) -> None:
    with running_endpoint(tmp_path, iterator_seconds=0, reads_per_second=1) as client:
        client.create_stream(StreamName="s", ShardCount=1)
        with raises_client_error("ExpiredIteratorException"):
            read(client, "s", "shardId-000000000000")
    with (
        running_endpoint(tmp_path, reads_per_second=1) as client,
        raises_client_error("ProvisionedThroughputExceededException"),
    ):
        for _ in range(3):
            read(client, "s", "shardId-000000000000")


def test_records_and_closed_shards_expire_after_the_retention_period(tmp_path: Path) -> None:
    with running_endpoint(tmp_path, retention_seconds=0.2) as client:
        client.create_stream(StreamName="s", ShardCount=2)
        put(client, "s", "a", "b", "c")
        one, other = (shard["ShardId"] for shard in shards(client, "s"))
        client.merge_shards(StreamName="s", ShardToMerge=one, AdjacentShardToMerge=other)
        wait_until(lambda: len(shards(client, "s")) == 1)
        [child] = shards(client, "s")
        assert child["ParentShardId"] == one
        with raises_client_error("ResourceNotFoundException"):
            read(client, "s", one)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5)),
            st.tuples(st.just("split"), st.integers(0, 9)),
            st.tuples(st.just("merge"), st.integers(0, 9)),
        ),
        max_size=25,
    )
)
def test_resharding_returns_every_record_once_and_each_key_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    store = StreamStore(tmp_path_factory.mktemp("store") / "streams.sqlite")
    service = KinesisService(store, "us-east-1", Quotas())
    service.call("CreateStream", {"StreamName": "s", "ShardCount": 2})
    sent: list[tuple[str, str]] = []
    for action, argument in steps:
        open_shards = [
            shard for shard in list_shards(service) if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]
        open_shards.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        index = argument % len(open_shards) if isinstance(argument, int) else 0
        chosen = open_shards[index]
        if action == "put":
            for key in argument:
                sent.append((key, f"{len(sent):04d}"))
                service.call("PutRecord", {"StreamName": "s", "PartitionKey": key, "Data": sent[-1][1]})
        elif action == "split":
            low, high = (int(chosen["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
            request = {
                "StreamName": "s",
                "ShardToSplit": chosen["ShardId"],
                "NewStartingHashKey": (low + high + 1) // 2,
            }
            service.call("SplitShard", request)
        elif chosen is not open_shards[-1]:
            adjacent = open_shards[index + 1]["ShardId"]
            request = {"StreamName": "s", "ShardToMerge": chosen["ShardId"], "AdjacentShardToMerge": adjacent}
            service.call("MergeShards", request)
    # Shards are listed by number, and the number of a shard is higher than those of its parents.
    received = [pair for shard in list_shards(service) for pair in read_all(service, shard["ShardId"])]
    assert sorted(received) == sorted(sent)
    for key in "abcdefgh":
        assert [text for its_key, text in received if its_key == key] == [
            text for its_key, text in sent if its_key == key
        ]


def list_shards(service: KinesisService) -> list[Json]:
    listed: list[Json] = service.call("ListShards", {"StreamName": "s"})["Shards"]
    return listed


def read_all(service: KinesisService, shard: str) -> Iterator[tuple[str, str]]:
    request = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = service.call("GetShardIterator", request)["ShardIterator"]
    while iterator:
        response = service.call("GetRecords", {"ShardIterator": iterator, "Limit": 2})
        yield from ((record["PartitionKey"], record["Data"]) for record in response["Records"])
        iterator = response.get("NextShardIterator") if response["Records"] else None
