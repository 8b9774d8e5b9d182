"""Streaming writers and jobs killed repeatedly with SIGKILL: each record is written once and unchanged."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.reconciliation.stream import reconcile_configured_stream
from pin_pipeline.records import PIN, RECORD_TYPES
from pin_pipeline.records.rules import Rejected, Validator
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.jobs import STREAMING_JOBS
from pin_pipeline.streaming.postgres_tables import CATEGORY_TRENDS, EXPERIMENTAL_DATA
from pin_pipeline_tests.helpers.processes import PROCESSES
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce, topic_records
from pin_pipeline_tests.streaming.conftest import KinesisProducer
from pin_pipeline_tests.streaming.writer_process import write

WRITER_KILLS = 24
BATCH_RECORDS, LAST_BATCH_RECORDS = 40, 1_000
"""Maximum number of records per micro-batch: of the writers that are killed, and of the last one."""
# Spark needs about 15 s to start, so 20 rounds run in `make soak` only.
ROUNDS_OF_KILLS = [1, pytest.param(20, marks=pytest.mark.soak)]
TIMEOUT_SECONDS, POLL_SECONDS = 120, 0.5


def random_value(number: int, random: Random) -> bytes:
    """Return a record: some are rejected, and some can be stored in Delta but not in Postgres."""
    rejected = [b"poison", json.dumps(pin(number, follower_count="many")).encode()]
    accepted = [json.dumps(pin(number)).encode(), json.dumps(pin(number, title="a\0b")).encode()]
    return random.choice(rejected if random.random() < 0.1 else accepted)


def put_records(kinesis: KinesisProducer, stream: str, values: list[bytes]) -> list[tuple[str, str, bytes]]:
    """Put values into a stream; return the shard and sequence number with each, in the order of each shard."""
    entries: list[Any] = [{"PartitionKey": str(number), "Data": value} for number, value in enumerate(values)]
    records: list[tuple[str, str, bytes]] = []
    for first in range(0, len(entries), 500):
        response = kinesis.client.put_records(StreamName=stream, Records=entries[first : first + 500])
        positions = [(result["ShardId"], result["SequenceNumber"]) for result in response["Records"]]
        records += [(*position, value) for position, value in zip(positions, values[first:], strict=False)]
    return records


def is_rejected(value: bytes) -> bool:
    return isinstance(Validator(PIN).validate(value), Rejected)


@pytest.fixture
def variables(isolated: Settings) -> dict[str, str]:
    """Environment variables that point another process to the services of the test."""
    return isolated.variables()


def test_writer_killed_24_times_creates_no_gaps_and_no_duplicates(
    isolated: Settings, kinesis: KinesisProducer, tmp_path: Path
) -> None:
    random = Random(24)
    values = [random_value(number, random) for number in range(6_000)]
    records = put_records(kinesis, isolated.stream("pin"), values)
    checkpoint = tmp_path / "checkpoint"
    kills = done = 0
    while True:
        max_records = BATCH_RECORDS if kills < WRITER_KILLS else LAST_BATCH_RECORDS
        writer = PROCESSES.Process(target=write, args=(isolated, records, checkpoint, max_records))
        writer.start()
        while writer.is_alive() and (not checkpoint.exists() or int(checkpoint.read_text()) == done):
            Event().wait(0.01)  # until it has made progress
        if not writer.is_alive() or kills == WRITER_KILLS:
            writer.join(TIMEOUT_SECONDS)
            assert writer.exitcode == 0
            break
        Event().wait(random.uniform(0, 0.3))  # kill it at a random time
        writer.kill()
        writer.join()
        done, kills = int(checkpoint.read_text()), kills + 1
    assert kills == WRITER_KILLS
    _, findings = reconcile_configured_stream(PIN, isolated)
    assert list(findings.sentences()) == []
    assert findings.total("landed") == findings.total("published") + findings.total("quarantined") == len(values)
    accepted = {offset for offset, value in enumerate(values) if b"\\u0000" not in value and not is_rejected(value)}
    with psycopg.connect(isolated.postgres_url) as connection:
        published = connection.execute(
            "SELECT source_offset, ind FROM experimental_data ORDER BY source_offset"
        ).fetchall()
        quarantined = connection.execute("SELECT source_offset, bytes FROM experimental_data_quarantine").fetchall()
    assert published == [(offset, offset) for offset in sorted(accepted)]
    assert {offset: bytes(value) for offset, value in quarantined} == {
        offset: value for offset, value in enumerate(values) if offset not in accepted
    }


@contextmanager
def continuous_posts(isolated: Settings, kinesis: KinesisProducer) -> Iterator[Callable[[], None]]:
    """Post to the streams and the topic in the background, including records that are rejected.

    Yields:
        A function that splits a shard of each stream.
    """
    stop, failures = Event(), []

    def post() -> None:
        try:
            number = 0
            while not stop.wait(0.1):
                number += 1
                rows = {"pin": pin(number), "geo": geo(number), "user": user(number)}
                for record_type, row in rows.items():
                    kinesis.post(isolated.stream(record_type), str(number), row, user(number), b"poison")
                produce(isolated, "pin", [pin(number), b"poison"], partition=number % 3)
        except Exception as error:
            failures.append(error)

    def split() -> None:
        for record_type in RECORD_TYPES:
            stream = isolated.stream(record_type)
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
class JobProcesses:
    """Local processes of all streaming jobs."""

    settings: Settings
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
        """Return the versions of the Delta tables, and the number of rows in Postgres."""
        lake = Lake.of(self.settings)
        tables = [lake.snapshot(f"streams/{record_type}") for record_type in RECORD_TYPES]
        return (*(0 if table is None else table.version for table in tables), len(postgres_positions(self.settings)))

    def wait_until(self, predicate: Callable[[], bool]) -> None:
        """Wait for a condition; fail when a job has ended or the timeout has passed."""
        for _ in range(int(TIMEOUT_SECONDS / POLL_SECONDS)):
            if predicate():
                return
            for name in STREAMING_JOBS:
                status = self.jobs.status(name)
                assert status.since, Path(status.log).read_text()
            Event().wait(POLL_SECONDS)
        raise AssertionError(f"not reached within {TIMEOUT_SECONDS} s: {self.progress()}")


@pytest.mark.parametrize("rounds", ROUNDS_OF_KILLS)
def test_jobs_killed_while_shards_split_resume_without_gaps_and_duplicates(
    isolated: Settings,
    kinesis: KinesisProducer,
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rounds: int,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for table in (EXPERIMENTAL_DATA, CATEGORY_TRENDS):
        Postgres(isolated.postgres_url).ensure_table(table)
    processes, random = JobProcesses(isolated, tmp_path), Random(6)
    try:
        with continuous_posts(isolated, kinesis) as split:
            for _ in range(rounds):
                before = processes.progress()
                processes.start()
                processes.wait_until(lambda: all_advanced(processes.progress(), before))  # noqa: B023 - called in this round
                split()
                Event().wait(random.uniform(0, 2))  # kill them at a random time
                processes.kill()
        processes.start()
        topic = topic_records(isolated.kafka, isolated.topic("pin"))
        accepted = sorted(position for position, value in topic.items() if value != b"poison")
        processes.wait_until(lambda: len(postgres_positions(isolated)) >= len(accepted) and all_reconciled(isolated))
        assert postgres_positions(isolated) == accepted
        processes.wait_until(lambda: aggregate(isolated, "sum(posts)", "category_trends") == len(accepted))
        assert aggregate(isolated, "count(*)", "experimental_data_quarantine") == len(topic) - len(accepted)
    finally:
        processes.stop()


def all_advanced(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return all(one > other for one, other in zip(now, before, strict=True))


def all_reconciled(settings: Settings) -> bool:
    """Return whether the tables of the streams contain all posted records; assert that there are no findings."""
    findings = [reconcile_configured_stream(record_type, settings)[1] for record_type in RECORD_TYPES.values()]
    assert [sentence for finding in findings for sentence in finding.sentences()] == []
    return sum(finding.total("waiting") for finding in findings) == 0


def postgres_positions(settings: Settings) -> list[tuple[int, int]]:
    with psycopg.connect(settings.postgres_url) as connection:
        query = "SELECT source_partition, source_offset FROM experimental_data ORDER BY 1, 2"
        rows: list[tuple[int, int]] = connection.execute(query).fetchall()
    return rows


def aggregate(settings: Settings, expression: str, table: str) -> int:
    with psycopg.connect(settings.postgres_url) as connection:
        query = f"SELECT {expression} FROM {table}".encode()  # noqa: S608
        [value] = connection.execute(query).fetchone() or [None]
    return int(value or 0)
