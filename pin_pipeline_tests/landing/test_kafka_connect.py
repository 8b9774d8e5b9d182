"""Landing by a real Kafka Connect worker with Confluent's S3 sink.

The worker comes from Maven Central, the sink does not: `PIN_S3_SINK` names the folder of its jars, `lib` in the zip
that MSK Connect takes as a plugin. If it is not set, these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from pin_pipeline.aws.msk_connect import ConnectorState
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.landing.kafka_connect import wait_until_landed
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.landing.topic_reader import LandingError
from pin_pipeline.local import jars, ports
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline.spark.java import find_java
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline_tests.helpers.rows import geo
from pin_pipeline_tests.helpers.sink_configuration import sink_configuration
from pin_pipeline_tests.helpers.topics import produce, produce_in_transaction, topic_records
from pin_pipeline_tests.helpers.waiting import wait_until

SINK = os.environ.get("PIN_S3_SINK")
WORKER = ("org.apache.kafka", "connect-runtime", "4.3.1")
"""The version is that of the broker."""
START_SECONDS, TIMEOUT_SECONDS = 60, 60

pytestmark = pytest.mark.skipif(SINK is None, reason="PIN_S3_SINK does not name the jars of Confluent's S3 sink")


@dataclass
class Worker:
    """A worker in standalone mode with one connector, configured as on MSK Connect except for `overrides`."""

    settings: Settings
    jars: Path
    home: Path
    overrides: Mapping[str, str]
    port: int = field(default_factory=ports.free_port)

    @property
    def name(self) -> str:
        return self.settings.prefix

    @property
    def topic(self) -> str:
        return self.settings.topic("geo")

    @property
    def consumer_group(self) -> str:
        return f"connect-{self.name}"

    def state(self) -> ConnectorState:
        """Return the state of the first failed task, or of the connector if none has failed."""
        status = httpx.get(f"http://{ports.HOST}:{self.port}/connectors/{self.name}/status").raise_for_status().json()
        parts = [*status["tasks"], status["connector"]]
        worst = next((part for part in parts if part["state"] == "FAILED"), status["connector"])
        cause = worst.get("trace", "").rpartition("Caused by: ")[2]
        return ConnectorState(worst["state"], cause.partition("\n")[0])

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the worker and wait until its connector runs; kill it at the end."""
        connector = {
            **sink_configuration([self.topic], self.settings.bucket, self.settings.region),
            "name": self.name,
            "store.url": self.settings.s3_endpoint_url,
            "s3.path.style.access.enabled": "true",
            **self.overrides,
        }
        worker = {
            "bootstrap.servers": self.settings.kafka.bootstrap,
            "listeners": f"http://{ports.HOST}:{self.port}",
            "plugin.path": str(Path(SINK or "").parent),
            "offset.storage.file.filename": self.home / "offsets",
            "offset.flush.interval.ms": "500",
            "key.converter": connector["key.converter"],
            "value.converter": connector["value.converter"],
        }
        files = [self._write("worker", worker), self._write("connector", connector)]
        # The jars of the broker include a logging backend.
        classes = f"{self.jars}/*{os.pathsep}{jars.ensure('kafka')}/*"
        command = [find_java(), "-cp", classes, "org.apache.kafka.connect.cli.ConnectStandalone", *files]
        with (self.home / "log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                wait_until(lambda: self._runs(process), START_SECONDS)
                yield process
            finally:
                process.kill()

    def land(self) -> LandingResult:
        store = ObjectStore.of(self.settings)
        return wait_until_landed(self.settings.kafka, store, self.topic, self, timeout_seconds=TIMEOUT_SECONDS)

    def objects(self) -> list[bytes]:
        """Return the content of the landed objects."""
        store = ObjectStore.of(self.settings)
        firsts = [ObjectName("topics", self.topic, number, 0) for number in store.partitions("topics", self.topic)]
        return [store.read(name) for first in firsts for name in store.list_from(first)]

    def _runs(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self.home / "log").read_text()[-3000:]
        with suppress(httpx.HTTPError):
            return self.state().state == "RUNNING"
        return False

    def _write(self, name: str, properties: Mapping[str, Any]) -> str:
        path = self.home / f"{name}.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return str(path)


Start = Callable[..., Worker]


@pytest.fixture(scope="module")
def worker_jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("connect")
    command = jars.ivy_command(folder / "jars", folder, "default", "-dependency", *WORKER)
    subprocess.run(command, check=True, capture_output=True)
    return folder / "jars"


@pytest.fixture
def worker(settings: Settings, worker_jars: Path, tmp_path: Path) -> Start:
    return lambda **overrides: Worker(
        settings, worker_jars, tmp_path, {name.replace("_", "."): value for name, value in overrides.items()}
    )


def test_objects_of_connector_are_verified_cleaned_and_reconciled(
    worker: Start, settings: Settings, engine: BatchEngine[Any]
) -> None:
    rows = [json.dumps(geo(number)).encode() for number in range(40)]
    produce_in_transaction(settings, "geo", rows[:3], commit=True)
    produce_in_transaction(settings, "geo", rows[:2], commit=False)
    produce(settings, "geo", rows[3:20])
    produce(settings, "geo", rows[20:], partition=2)
    produce(settings, "geo", [b"no JSON"], partition=2)
    lake, store, record_types = (
        Lake.of(settings),
        ObjectStore.of(settings),
        {settings.topic("geo"): RECORD_TYPES["geo"]},
    )
    connect = worker(flush_size="5", rotate_schedule_interval_ms="1000")
    with connect.running():
        landed = connect.land()
        assert (landed.records, landed.missing) == (41, 0)
        produce(settings, "geo", [geo(50)])
        assert connect.land().records == 1
    lines = [line for body in connect.objects() for line in body.splitlines()]
    committed = [b"no JSON", json.dumps(geo(50)).encode(), *rows]
    assert sorted(lines) == sorted(committed), "each record once, byte by byte, and no aborted one"
    [report] = clean_topics(engine, lake, store, record_types)
    assert (report.rows, report.metadata["landed"], report.metadata["unreconciled"]) == (41, 42, 0)
    assert not reconcile_topic(RECORD_TYPES["geo"], settings.topic("geo"), settings.kafka, lake, store).discrepancies


def test_connector_resumes_after_sigkill_without_loss_or_duplicates(worker: Start, settings: Settings) -> None:
    rows = [json.dumps(geo(number)).encode() for number in range(3_000)]
    for partition in range(3):
        produce(settings, "geo", rows[partition * 1_000 : (partition + 1) * 1_000], partition=partition)
    connect = worker(flush_size="50")
    with connect.running() as process:
        wait_until(lambda: bool(connect.objects()))
        process.kill()
    assert len(connect.objects()) < 60, "it was killed before it had landed all records"
    with connect.running():
        landed = connect.land()
    assert (landed.records, landed.objects, landed.missing) == (3_000, 60, 0)
    lines = [line for body in connect.objects() for line in body.splitlines()]
    assert sorted(lines) == sorted(value or b"" for value in topic_records(settings.kafka, connect.topic).values())


def test_tombstone_fails_the_connector_with_its_reason(worker: Start, settings: Settings) -> None:
    produce(settings, "geo", [geo(1), None])
    connect = worker(flush_size="1")
    with (
        connect.running(),
        pytest.raises(LandingError, match=r"^connector \w+ failed, its state is FAILED \(.*null"),
    ):
        connect.land()
