"""Gateway and broker killed while clients post: every acknowledged record is on the topic, exactly as it was sent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import httpx

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline_tests.gateway.conftest import JSON_V2
from pin_pipeline_tests.helpers.command_line import CommandLine
from pin_pipeline_tests.helpers.topics import topic_records

CLIENTS, RECORDS_PER_REQUEST = 4, 25
TOPIC = "pinterest.pin"


@dataclass
class Load:
    """Clients that post without a pause.

    Attributes:
        acknowledged: the acknowledged records by partition and offset.
    """

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[tuple[int, int], bytes] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    numbers: Iterator[int] = field(default_factory=count)

    def post(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.stop.is_set():
                texts = [
                    b'{"index":%d,"text":"\xc3\xbc %d"}' % (n, n)
                    for n in (next(self.numbers) for _ in range(RECORDS_PER_REQUEST))
                ]
                records = b",".join(b'{"value":' + text + b"}" for text in texts)
                try:
                    response = client.post(
                        f"/topics/{TOPIC}", content=b'{"records":[' + records + b"]}", headers=JSON_V2
                    )
                except httpx.TransportError:
                    self.stop.wait(0.05)  # the gateway is restarting
                    continue
                if response.status_code != 200:
                    self.stop.wait(0.05)
                    continue
                with self.changed:
                    for text, offset in zip(texts, response.json()["offsets"], strict=True):
                        if offset["error_code"] is None:
                            position = offset["partition"], offset["offset"]
                            assert self.acknowledged.setdefault(position, text) == text
                    self.changed.notify_all()

    def wait_for(self, records: int) -> None:
        """Wait until this many more records are acknowledged."""
        with self.changed:
            target = len(self.acknowledged) + records
            assert self.changed.wait_for(lambda: len(self.acknowledged) >= target, 60), "no record was acknowledged"


def test_acknowledged_records_are_on_the_topic_after_gateway_and_broker_are_killed(command_line: CommandLine) -> None:
    command_line.succeed("up")
    load = Load(command_line.addresses()["PIN_GATEWAY_URL"])
    clients = [threading.Thread(target=load.post) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for server in ("gateway", "kafka"):
            load.wait_for(500)
            os.killpg(command_line.pids()[server], signal.SIGKILL)
            command_line.succeed("up")
        load.wait_for(500)
    finally:
        load.stop.set()
        for client in clients:
            client.join()
    on_topic = topic_records(KafkaConnection(command_line.addresses()["PIN_KAFKA_BOOTSTRAP"]), TOPIC)
    assert len(load.acknowledged) >= 1_500
    assert {position: on_topic.get(position) for position in load.acknowledged} == load.acknowledged
