"""Benchmark: latency from Kinesis to queryable rows in Delta, and recovery time after a kill."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from benchmarks.local_services import local_services
from benchmarks.report import Measurement, log_progress, print_report, require_equal
from pin_pipeline.aws import clients
from pin_pipeline.emulator import synthetic
from pin_pipeline.local.process import DetachedProcess
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

JOB = "kinesis_to_delta"
EVENTS_PER_SECOND, TICK_SECONDS = 200, 0.05
WARM_UP_SECONDS, MEASURED_SECONDS, SETTLE_SECONDS = 60, 60, 5
POLL_SECONDS = 0.1
SENT_AT = {"pin": ("title", "title"), "geo": ("country", "country"), "user": ("first_name", "user_name")}
"""Field that contains the time at which an event was sent, and the column that the field is published in."""


def main() -> None:
    """Measure latency and recovery under a constant rate of events."""
    with local_services() as settings:
        jobs, process = LocalStreamingJobs(settings.home), DetachedProcess(settings.home, JOB)
        log_progress("starting the streaming job")
        jobs.start(JOB)
        with _events(settings) as sent, _readers(settings) as readers:
            _wait_for_commits(process, readers, dict.fromkeys(RECORD_TYPES, 0), all)
            log_progress(f"warming up for {WARM_UP_SECONDS} s")
            time.sleep(WARM_UP_SECONDS)
            log_progress(f"measuring for {MEASURED_SECONDS} s")
            begin = time.time()
            time.sleep(MEASURED_SECONDS)
            end = time.time()
            time.sleep(SETTLE_SECONDS)  # until the measured events are in the tables
            log_progress("killing the job")
            os.killpg(process.pid, signal.SIGKILL)
            while process.is_alive():
                time.sleep(POLL_SECONDS)
            versions = {record_type: len(reader.visible) for record_type, reader in readers.items()}
            started = time.perf_counter()
            jobs.start(JOB)
            _wait_for_commits(process, readers, versions, any)
            recovery = time.perf_counter() - started
        _wait_for_all(settings, sent)
        time.sleep(2 * POLL_SECONDS)
        latencies = [
            latency
            for record_type, reader in readers.items()
            for latency in _latencies(settings, record_type, reader, begin, end)
        ]
        jobs.stop(JOB)
    cuts = quantiles(latencies, n=100)
    print_report(
        Measurement("events measured", len(latencies), "events"),
        Measurement("event to queryable in Delta, p50", cuts[49], "s", at_most=1.0),
        Measurement("event to queryable in Delta, p99", cuts[98], "s", at_most=3.0),
        Measurement("first commit after kill -9 and start", recovery, "s", at_most=15.0),
    )


@dataclass
class VersionReader:
    """Polls for new versions of a table, as a querying user would.

    Attributes:
        visible: time at which each version, from 1 on, was visible first.
    """

    client: S3Client
    bucket: str
    log: str
    visible: list[float] = field(default_factory=list)

    def poll(self) -> bool:
        """Poll for the next version; return whether it exists."""
        try:
            self.client.head_object(Bucket=self.bucket, Key=f"{self.log}/{len(self.visible) + 1:020}.json")
        except ClientError:
            return False
        self.visible.append(time.time())
        return True

    def progress(self, version: int) -> dict[str, int]:
        """Return the highest sequence number by shard in a version of the table."""
        body = self.client.get_object(Bucket=self.bucket, Key=f"{self.log}/{version:020}.json")["Body"].read()
        for line in body.splitlines():
            if metadata := json.loads(line).get("commitInfo", {}).get("userMetadata"):
                return {shard: int(number) for shard, number in json.loads(metadata)["shards"].items()}
        raise ValueError(f"version {version} of {self.log} contains no progress")


@contextmanager
def _events(settings: Settings) -> Iterator[dict[str, int]]:
    """Send events to the three streams while the block runs; yield the number sent by record type."""
    client = clients.client("kinesis", settings.region, settings.kinesis_endpoint_url)
    templates = {record_type: next(iter(synthetic.rows(record_type))) for record_type in RECORD_TYPES}
    sent = dict.fromkeys(RECORD_TYPES, 0)
    share = round(EVENTS_PER_SECOND * TICK_SECONDS / len(RECORD_TYPES))

    def send(stop: threading.Event) -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += share * len(RECORD_TYPES) / EVENTS_PER_SECOND
            for record_type, definition in RECORD_TYPES.items():
                records: list[Any] = [
                    {
                        "PartitionKey": str(sent[record_type] + number),
                        "Data": _event(record_type, definition.key, sent[record_type] + number),
                    }
                    for number in range(share)
                ]
                client.put_records(StreamName=settings.stream(record_type), Records=records)
                sent[record_type] += share

    def _event(record_type: str, key: str, number: int) -> bytes:
        row = templates[record_type] | {key: number, SENT_AT[record_type][0]: repr(time.time())}
        return json.dumps(row, default=str).encode()

    with _in_background(send):
        yield sent


@contextmanager
def _readers(settings: Settings) -> Iterator[dict[str, VersionReader]]:
    client: S3Client = clients.client("s3", settings.region, settings.s3_endpoint_url)
    readers = {
        record_type: VersionReader(client, settings.bucket, f"lake/streams/{record_type}/_delta_log")
        for record_type in RECORD_TYPES
    }

    def poll(stop: threading.Event) -> None:
        while not stop.wait(POLL_SECONDS):
            for reader in readers.values():
                while reader.poll():
                    pass

    with _in_background(poll):
        yield readers


@contextmanager
def _in_background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a function in the background while the block runs; the event is set at its end."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=[stop], daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _wait_for_commits(
    process: DetachedProcess,
    readers: dict[str, VersionReader],
    versions: dict[str, int],
    quantifier: Callable[[Iterable[bool]], bool],
) -> None:
    """Wait until all or any of the tables have more versions than before."""
    while not quantifier(len(reader.visible) > versions[record_type] for record_type, reader in readers.items()):
        if not process.is_alive():
            raise RuntimeError(f"the streaming job has ended: {process.tail()} (see {process.log})")
        time.sleep(POLL_SECONDS)


def _wait_for_all(settings: Settings, sent: dict[str, int]) -> None:
    """Wait until the tables contain all events, and verify that each is there once."""
    lake = Lake.of(settings)
    tables = {record_type: f"streams/{record_type}" for record_type in RECORD_TYPES}
    deadline = time.monotonic() + 60
    while (
        time.monotonic() < deadline
        and {record_type: lake.require(key).rows for record_type, key in tables.items()} != sent
    ):
        time.sleep(1)
    for record_type, key in tables.items():
        keys = lake.require(key).query("select ind from t")["ind"].to_pylist()
        require_equal(f"events sent and published, {record_type}", sorted(keys), list(range(sent[record_type])))


def _latencies(
    settings: Settings, record_type: str, reader: VersionReader, begin: float, end: float
) -> Iterator[float]:
    """Yield the time from sending to visibility for each event that was sent between `begin` and `end`."""
    while reader.poll():
        pass
    ends: dict[str, list[int]] = {}
    for version in range(1, len(reader.visible) + 1):
        for shard, number in reader.progress(version).items():
            before = ends.setdefault(shard, [])
            before += [before[-1] if before else -1] * (version - 1 - len(before)) + [number]
    column = SENT_AT[record_type][1]
    sql = f"select {column} as sent, source_shard as shard, source_sequence_number as number from t"  # noqa: S608
    for row in Lake.of(settings).require(f"streams/{record_type}").query(sql).to_pylist():
        sent = float(str(row["sent"]).split()[0])
        if begin <= sent < end:
            version = bisect_left(ends[row["shard"]], int(row["number"]))
            yield reader.visible[version] - sent


if __name__ == "__main__":
    main()
