"""Whoever writes streams is killed with -9 again and again; every record is there once, as it came."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.reconciliation.stream import reconcile_stream_of
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.records.rules import Rejected, Validator
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.postgres_sink import CATEGORY_TRENDS, EXPERIMENTAL_DATA
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce, stored
from pin_pipeline_tests.streaming.conftest import Kinesis
from pin_pipeline_tests.streaming.writer import write

KILLS_OF_A_WRITER = 24
# A start takes Spark a quarter of a minute, so the many are a target of their own.
ROUNDS_OF_KILLS = [1, pytest.param(20, marks=pytest.mark.soak)]
PATIENCE = 120


def value_of(number: int, random: Random) -> bytes:
    """A record; some do not fit, and some only Delta can hold."""
    dirty = [b"poison", json.dumps(pin(number, follower_count="many")).encode()]
    fitting = [json.dumps(pin(number)).encode(), json.dumps(pin(number, title="a\0b")).encode()]
    return random.choice(dirty if random.random() < 0.1 else fitting)


def posted(kinesis: Kinesis, stream: str, values: list[bytes]) -> list[tuple[str, str, bytes]]:
    """Put values into a stream; their shards and sequence numbers, in the order of each shard."""
    entries: list[Any] = [{"PartitionKey": str(number), "Data": value} for number, value in enumerate(values)]
    placed: list[tuple[str, str, bytes]] = []
    for first in range(0, len(entries), 500):
        answer = kinesis.client.put_records(StreamName=stream, Records=entries[first : first + 500])
        places = [(place["ShardId"], place["SequenceNumber"]) for place in answer["Records"]]
        placed += [(*place, value) for place, value in zip(places, values[first:], strict=False)]
    return placed


@pytest.fixture
def variables(here: Settings) -> dict[str, str]:
    """What leads another process to the parts of this test."""
    return {
        "PIN_PREFIX": here.prefix,
        "PIN_BUCKET": here.bucket,
        "PIN_CHECKPOINTS": here.checkpoints,
        "PIN_POSTGRES_URL": here.postgres_url,
    }


def test_a_writer_that_is_killed_24_times_loses_and_doubles_nothing(
    here: Settings, kinesis: Kinesis, tmp_path: Path
) -> None:
    random = Random(24)
    values = [value_of(number, random) for number in range(6_000)]
    records = posted(kinesis, here.stream("pin"), values)
    checkpoint = tmp_path / "checkpoint"
    # A server that has imported everything forks the writers.
    processes = get_context("forkserver")
    processes.set_forkserver_preload([write.__module__])
    kills = done = 0
    while True:
        writer = processes.Process(target=write, args=(here, records, checkpoint))
        writer.start()
        while writer.is_alive() and (not checkpoint.exists() or int(checkpoint.read_text()) == done):
            Event().wait(0.01)  # until it has made progress
        if not writer.is_alive() or kills == KILLS_OF_A_WRITER:
            writer.join(PATIENCE)
            assert writer.exitcode == 0
            break
        Event().wait(random.uniform(0, 0.3))  # a moment at random
        writer.kill()
        writer.join()
        done, kills = int(checkpoint.read_text()), kills + 1
    assert kills == KILLS_OF_A_WRITER
    _, findings = reconcile_stream_of(PIN, here)
    assert list(findings.sentences()) == []
    assert findings.total("landed") == findings.total("published") + findings.total("quarantined") == len(values)
    fits = {offset for offset, value in enumerate(values) if b"\\u0000" not in value and not misfit(value)}
    with psycopg.connect(here.postgres_url) as connection:
        found = connection.execute("SELECT source_offset, ind FROM experimental_data ORDER BY source_offset").fetchall()
        others = connection.execute("SELECT source_offset, bytes FROM experimental_data_quarantine").fetchall()
    assert found == [(offset, offset) for offset in sorted(fits)]
    assert {offset: bytes(value) for offset, value in others} == {
        offset: value for offset, value in enumerate(values) if offset not in fits
    }


def misfit(value: bytes) -> bool:
    return isinstance(Validator(PIN).validate(value), Rejected)


@contextmanager
def people(here: Settings, kinesis: Kinesis) -> Iterator[Callable[[], None]]:
    """They post all the while: to the streams, with something misrouted and something poisonous, and to the topic."""
    stop, failures = Event(), []

    def post() -> None:
        try:
            number = 0
            while not stop.wait(0.1):
                number += 1
                rows = {"pin": pin(number), "geo": geo(number), "user": user(number)}
                for record_type, row in rows.items():
                    kinesis.post(here.stream(record_type), str(number), row, user(number), b"poison")
                produce(here, "pin", [pin(number), b"poison"], partition=number % 3)
        except Exception as error:
            failures.append(error)

    def split() -> None:
        for record_type in RECORD_TYPES:
            stream = here.stream(record_type)
            *_, shard = kinesis.client.list_shards(StreamName=stream)["Shards"]
            keys = shard["HashKeyRange"]
            middle = str((int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2)
            kinesis.client.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)

    thread = Thread(target=post)
    thread.start()
    try:
        yield split
    finally:
        stop.set()
        thread.join()
    assert failures == []


@dataclass
class Fleet:
    """The streaming jobs as processes, in a home of their own."""

    here: Settings
    home: Path

    @property
    def jobs(self) -> LocalStreamingJobs:
        return LocalStreamingJobs(self.home)

    def start(self) -> None:
        for name in STREAMING_JOBS:
            self.jobs.start(name)

    def kill(self) -> None:
        for name in STREAMING_JOBS:
            os.killpg(int((self.home / f"{name}.pid").read_text()), signal.SIGKILL)
        while any(self.jobs.status(name).since for name in STREAMING_JOBS):
            Event().wait(0.01)

    def stop(self) -> None:
        for name in STREAMING_JOBS:
            self.jobs.stop(name)

    def progress(self) -> tuple[int, ...]:
        """The versions of the Delta tables, and the rows in Postgres."""
        lake = Lake.of(self.here)
        tables = [lake.snapshot(f"streams/{record_type}") for record_type in RECORD_TYPES]
        return (*(0 if table is None else table.version for table in tables), len(in_postgres(self.here)))

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Return when it is reached; fail where a job has ended, or it takes too long."""
        for _ in range(10 * PATIENCE):
            if reached():
                return
            for name in STREAMING_JOBS:
                status = self.jobs.status(name)
                assert status.since, Path(status.log).read_text()
            Event().wait(0.1)
        raise AssertionError(f"not reached within {PATIENCE} s: {self.progress()}")


@pytest.mark.parametrize("rounds", ROUNDS_OF_KILLS)
def test_streaming_jobs_that_are_killed_while_shards_split_go_on_where_they_were(
    here: Settings,
    kinesis: Kinesis,
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rounds: int,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for table in (EXPERIMENTAL_DATA, CATEGORY_TRENDS):
        Postgres(here.postgres_url).ensure(table)
    fleet, random = Fleet(here, tmp_path), Random(6)
    try:
        with people(here, kinesis) as split:
            for _ in range(rounds):
                before = fleet.progress()
                fleet.start()
                fleet.wait_until(lambda: advanced(fleet.progress(), before))  # noqa: B023 - waits within the turn
                split()
                Event().wait(random.uniform(0, 2))  # a moment at random
                fleet.kill()
        fleet.start()
        topic = stored(here.kafka, here.topic("pin"))
        fitting = sorted(place for place, value in topic.items() if value != b"poison")
        fleet.wait_until(lambda: audited(here) and len(in_postgres(here)) >= len(fitting))
        assert in_postgres(here) == fitting
        fleet.wait_until(lambda: counted(here, "sum(posts)", "category_trends") == len(fitting))
        assert counted(here, "count(*)", "experimental_data_quarantine") == len(topic) - len(fitting)
    finally:
        fleet.stop()


def advanced(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return all(one > other for one, other in zip(now, before, strict=True))


def audited(here: Settings) -> bool:
    """Whether all that was posted is in the tables of the streams; none of it is lost, doubled or altered meanwhile."""
    findings = [reconcile_stream_of(record_type, here)[1] for record_type in RECORD_TYPES.values()]
    assert [sentence for each in findings for sentence in each.sentences()] == []
    return sum(each.total("waiting") for each in findings) == 0


def in_postgres(here: Settings) -> list[tuple[int, int]]:
    with psycopg.connect(here.postgres_url) as connection:
        query = "SELECT source_partition, source_offset FROM experimental_data ORDER BY 1, 2"
        rows: list[tuple[int, int]] = connection.execute(query).fetchall()
    return rows


def counted(here: Settings, what: str, table: str) -> int:
    with psycopg.connect(here.postgres_url) as connection:
        [answer] = connection.execute(f"SELECT {what} FROM {table}".encode()).fetchone() or [None]  # noqa: S608
    return int(answer or 0)
