"""The local Kinesis endpoint against what the AWS documentation says of streams, shards and records."""

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
from hypothesis import settings as how
from hypothesis import strategies as st

from pin_pipeline.local import kinesis, ports
from pin_pipeline.local.kinesis_emulator.log import StreamLog, hash_key
from pin_pipeline.local.kinesis_emulator.service import Limits, Service
from pin_pipeline.local.server import ServerProcess
from pin_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kinesis.client import KinesisClient

HASH_KEYS = 2**128
Answer = dict[str, Any]


@contextmanager
def endpoint(home: Path, **limits: object) -> Iterator[KinesisClient]:
    """An endpoint of the test's own."""
    server, process = kinesis.server(home, ports.free()), ServerProcess(home, "kinesis")
    with patch.dict(os.environ, {f"PIN_KINESIS_{name.upper()}": str(value) for name, value in limits.items()}):
        process.start(server)
    try:
        process.wait_until_ready(server)
        yield client_of(server.address)
    finally:
        process.stop()


def client_of(address: str | None) -> KinesisClient:
    once = Config(retries={"total_max_attempts": 1})
    client: KinesisClient = boto3.client("kinesis", endpoint_url=address, region_name="us-east-1", config=once)
    return client


@pytest.fixture
def kinesis_client(local_environment: Settings) -> KinesisClient:
    return client_of(local_environment.kinesis_endpoint_url)


@pytest.fixture
def stream(kinesis_client: KinesisClient, settings: Settings) -> str:
    """A stream of two shards."""
    kinesis_client.create_stream(StreamName=settings.prefix, ShardCount=2)
    return settings.prefix


def shards(client: KinesisClient, stream: str) -> list[Any]:
    found: list[Any] = client.list_shards(StreamName=stream)["Shards"]
    return found


def put(client: KinesisClient, stream: str, *keys: str) -> list[Any]:
    records: list[Any] = [{"PartitionKey": key, "Data": f"{key} {number}".encode()} for number, key in enumerate(keys)]
    outcomes: list[Any] = client.put_records(StreamName=stream, Records=records)["Records"]
    return outcomes


def read(client: KinesisClient, stream: str, shard: str, record_type: Any = "TRIM_HORIZON", **where: Any) -> Answer:
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=record_type, **where)
    return dict(client.get_records(ShardIterator=iterator["ShardIterator"]))


def data(answer: Answer) -> list[bytes]:
    return [record["Data"] for record in answer["Records"]]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


def test_records_go_to_the_shard_of_their_keys_hash_and_come_back_in_order(
    kinesis_client: KinesisClient, stream: str
) -> None:
    keys = ["pin", "geo", "user", "pin", "x"]
    outcomes = put(kinesis_client, stream, *keys)
    for shard in shards(kinesis_client, stream):
        low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        here = [number for number, key in enumerate(keys) if low <= hash_key(key) <= high]
        answer = read(kinesis_client, stream, shard["ShardId"])
        assert data(answer) == [f"{keys[number]} {number}".encode() for number in here]
        sequences = [record["SequenceNumber"] for record in answer["Records"]]
        assert sequences == [outcomes[number]["SequenceNumber"] for number in here] == sorted(sequences, key=int)
        assert {outcomes[number]["ShardId"] for number in here} <= {shard["ShardId"]}
        assert answer["MillisBehindLatest"] == 0


def test_every_iterator_begins_where_it_says(kinesis_client: KinesisClient, stream: str) -> None:
    [first, _, _] = put(kinesis_client, stream, "a", "a", "a")
    shard, sequence = first["ShardId"], first["SequenceNumber"]
    moment = read(kinesis_client, stream, shard)["Records"][0]["ApproximateArrivalTimestamp"]
    assert len(data(read(kinesis_client, stream, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=sequence))) == 3
    assert len(data(read(kinesis_client, stream, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=sequence))) == 2
    assert len(data(read(kinesis_client, stream, shard, "AT_TIMESTAMP", Timestamp=moment))) == 3
    assert data(read(kinesis_client, stream, shard, "LATEST")) == []


def test_a_split_shard_keeps_its_records_and_ends_and_its_children_begin_behind_it(
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


def test_merged_shards_have_one_child(kinesis_client: KinesisClient, stream: str) -> None:
    one, other = (shard["ShardId"] for shard in shards(kinesis_client, stream))
    kinesis_client.merge_shards(StreamName=stream, ShardToMerge=one, AdjacentShardToMerge=other)
    *_, child = shards(kinesis_client, stream)
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (one, other)
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(HASH_KEYS - 1)}


def test_a_stream_that_was_made_again_knows_no_position_of_the_old_one(
    kinesis_client: KinesisClient, stream: str
) -> None:
    [old] = put(kinesis_client, stream, "a")
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=old["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    kinesis_client.delete_stream(StreamName=stream)
    time.sleep(0.002)  # a stream is told from its namesake by the millisecond of its creation
    kinesis_client.create_stream(StreamName=stream, ShardCount=2)
    with refused("InvalidArgumentException.*did not come from"):
        read(
            kinesis_client,
            stream,
            old["ShardId"],
            "AFTER_SEQUENCE_NUMBER",
            StartingSequenceNumber=old["SequenceNumber"],
        )
    with refused("ResourceNotFoundException"):
        kinesis_client.get_records(ShardIterator=iterator)


def test_what_cannot_be_done_is_refused_as_on_aws(kinesis_client: KinesisClient, stream: str) -> None:
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
        with refused(code):
            call()


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    with endpoint(tmp_path) as client:
        client.create_stream(StreamName="kept", ShardCount=1)
        [outcome] = put(client, "kept", "a")
        os.killpg(ServerProcess(tmp_path, "kinesis").pid, signal.SIGKILL)
    with endpoint(tmp_path) as client:
        [record] = read(client, "kept", outcome["ShardId"])["Records"]
        assert (record["SequenceNumber"], record["Data"]) == (outcome["SequenceNumber"], b"a 0")


def test_iterators_expire_and_reads_are_throttled(tmp_path: Path) -> None:
    with endpoint(tmp_path, iterator_seconds=0, reads_a_second=1) as client:
        client.create_stream(StreamName="s", ShardCount=1)
        with refused("ExpiredIteratorException"):
            read(client, "s", "shardId-000000000000")
    with endpoint(tmp_path, reads_a_second=1) as client, refused("ProvisionedThroughputExceededException"):
        for _ in range(3):
            read(client, "s", "shardId-000000000000")


def test_records_and_closed_shards_age_out(tmp_path: Path) -> None:
    with endpoint(tmp_path, retention_seconds=0.2) as client:
        client.create_stream(StreamName="s", ShardCount=2)
        put(client, "s", "a", "b", "c")
        one, other = (shard["ShardId"] for shard in shards(client, "s"))
        client.merge_shards(StreamName="s", ShardToMerge=one, AdjacentShardToMerge=other)
        while len(left := shards(client, "s")) > 1:
            pass
        assert left[0]["ParentShardId"] == one
        with refused("ResourceNotFoundException"):
            read(client, "s", one)


@how(max_examples=60, deadline=None)
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
def test_whatever_is_split_and_merged_every_record_is_read_once_and_each_key_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    service = Service(StreamLog(tmp_path_factory.mktemp("log") / "streams.sqlite"), "us-east-1", Limits())
    service.call("CreateStream", {"StreamName": "s", "ShardCount": 2})
    sent: list[tuple[str, str]] = []
    for action, argument in steps:
        opened = [shard for shard in listed(service) if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        opened.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        place = argument % len(opened) if isinstance(argument, int) else 0
        chosen = opened[place]
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
        elif chosen is not opened[-1]:
            next_one = opened[place + 1]["ShardId"]
            request = {"StreamName": "s", "ShardToMerge": chosen["ShardId"], "AdjacentShardToMerge": next_one}
            service.call("MergeShards", request)
    # A shard's number is higher than those of its parents.
    received = [pair for shard in listed(service) for pair in all_of(service, shard["ShardId"])]
    assert sorted(received) == sorted(sent)
    for key in "abcdefgh":
        assert [text for its, text in received if its == key] == [text for its, text in sent if its == key]


def listed(service: Service) -> list[Answer]:
    found: list[Answer] = service.call("ListShards", {"StreamName": "s"})["Shards"]
    return found


def all_of(service: Service, shard: str) -> Iterator[tuple[str, str]]:
    request = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = service.call("GetShardIterator", request)["ShardIterator"]
    while iterator:
        answer = service.call("GetRecords", {"ShardIterator": iterator, "Limit": 2})
        yield from ((record["PartitionKey"], record["Data"]) for record in answer["Records"])
        iterator = answer.get("NextShardIterator") if answer["Records"] else None
