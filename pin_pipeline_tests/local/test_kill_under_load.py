"""Servers are killed while records are posted; what was acknowledged is on the topic, exactly as it was sent."""

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
from pin_pipeline_tests.helpers.topics import stored
from pin_pipeline_tests.local.conftest import Machine

CLIENTS, RECORDS_A_REQUEST = 4, 25
TOPIC = "pinterest.pin"


@dataclass
class Load:
    """Clients that post without a pause, and note what they were told is where."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[tuple[int, int], bytes] = field(default_factory=dict)
    more: threading.Condition = field(default_factory=threading.Condition)
    numbers: Iterator[int] = field(default_factory=count)

    def post(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.stop.is_set():
                texts = [
                    b'{"index":%d,"text":"\xc3\xbc %d"}' % (n, n)
                    for n in (next(self.numbers) for _ in range(RECORDS_A_REQUEST))
                ]
                records = b",".join(b'{"value":' + text + b"}" for text in texts)
                try:
                    reply = client.post(f"/topics/{TOPIC}", content=b'{"records":[' + records + b"]}", headers=JSON_V2)
                except httpx.TransportError:
                    self.stop.wait(0.05)  # nobody serves for the moment
                    continue
                if reply.status_code != 200:
                    self.stop.wait(0.05)
                    continue
                with self.more:
                    for text, offset in zip(texts, reply.json()["offsets"], strict=True):
                        if offset["error_code"] is None:
                            place = offset["partition"], offset["offset"]
                            assert self.acknowledged.setdefault(place, text) == text
                    self.more.notify_all()

    def wait_for(self, records: int) -> None:
        """Wait until so many more are acknowledged."""
        with self.more:
            wanted = len(self.acknowledged) + records
            assert self.more.wait_for(lambda: len(self.acknowledged) >= wanted, 60), "no record was acknowledged"


def test_what_was_acknowledged_is_on_the_topic_as_sent_whatever_is_killed(machine: Machine) -> None:
    machine.succeed("up")
    load = Load(machine.addresses()["PIN_GATEWAY_URL"])
    clients = [threading.Thread(target=load.post) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for server in ("gateway", "kafka"):
            load.wait_for(500)
            os.killpg(machine.pids()[server], signal.SIGKILL)
            machine.succeed("up")
        load.wait_for(500)
    finally:
        load.stop.set()
        for client in clients:
            client.join()
    found = stored(KafkaConnection(machine.addresses()["PIN_KAFKA_BOOTSTRAP"]), TOPIC)
    assert len(load.acknowledged) >= 1_500
    assert {place: found.get(place) for place in load.acknowledged} == load.acknowledged
