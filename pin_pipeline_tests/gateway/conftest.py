"""A gateway served on a real socket, and the records it wrote to Kafka."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from kafka import KafkaConsumer, TopicPartition
from starlette.types import ASGIApp

from pin_pipeline.gateway.app import create_app
from pin_pipeline.gateway.http.bounded_protocol import BoundedProtocol
from pin_pipeline.settings import Settings
from pin_pipeline_tests.gateway.consumer_requests import EARLIEST, V2, CreateConsumer

JSON_V2 = {"Content-Type": "application/vnd.kafka.json.v2+json"}
API_KEY = "not-to-be-guessed"
Messages = dict[int, list[tuple[bytes | None, bytes]]]
"""Messages of a topic: partition to (key, value), in the order of their offsets."""


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("PIN_KAFKA_BOOTSTRAP", settings.kafka.bootstrap)
    monkeypatch.setenv("PIN_PREFIX", settings.prefix)
    return create_app()


@pytest.fixture
def gateway(settings: Settings) -> Iterator[httpx.Client]:
    """The gateway that all tests share."""
    with httpx.Client(base_url=settings.gateway_url, timeout=30) as client:
        yield client


@pytest.fixture
def own_gateway(app: FastAPI) -> Iterator[httpx.Client]:
    """A gateway for one test, with the prefix of its settings."""
    with serving(app) as client:
        yield client


@pytest.fixture
def remote_gateway(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A gateway for one test with two API keys, called at an address that is not loopback."""
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", f"another, {API_KEY}")
    with serving_to_network(app) as client:
        yield client


@pytest.fixture
def create_consumer(gateway: httpx.Client) -> Iterator[CreateConsumer]:
    """Create instances in a group of the test, remove them at its end, and return their paths."""
    with consumers_of(gateway) as create:
        yield create


@pytest.fixture
def create_own_consumer(own_gateway: httpx.Client) -> Iterator[CreateConsumer]:
    """Create instances on the test's own gateway, whose limits the test changes."""
    with consumers_of(own_gateway) as create:
        yield create


@contextmanager
def consumers_of(gateway: httpx.Client) -> Iterator[CreateConsumer]:
    group, created = f"group-{uuid.uuid4()}", []

    def create(**options: Any) -> str:
        response = gateway.post(f"/consumers/{group}", json=EARLIEST | options, headers=V2)
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"instance_id", "base_uri"}
        created.append(httpx.URL(response.json()["base_uri"]).path)
        return created[-1]

    yield create
    for path in created:
        gateway.delete(path)


@pytest.fixture
def messages(settings: Settings) -> Callable[[str], Messages]:
    """Read all messages of a topic."""

    def read(topic: str) -> Messages:
        consumer = KafkaConsumer(**settings.kafka.kafka_python(), auto_offset_reset="earliest")
        try:
            partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            found: Messages = {partition.partition: [] for partition in partitions}
            while any(consumer.position(partition) < end for partition, end in ends.items()):
                for partition, batch in consumer.poll(1000).items():
                    found[partition.partition] += [(message.key, message.value) for message in batch]
            return found
        finally:
            consumer.close()

    return read


def post(gateway: httpx.Client, topic: str, *records: dict[str, Any]) -> httpx.Response:
    """Produce records to a topic."""
    return gateway.post(f"/topics/{topic}", json={"records": list(records)}, headers=JSON_V2)


@contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    """Serve an app with uvicorn on a free port of this machine."""
    with socket.create_server((host, 0)) as listener:
        server = _Server(uvicorn.Config(app, http=BoundedProtocol, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.serving.wait(30), "the gateway did not start"
            with httpx.Client(base_url=f"http://{host}:{listener.getsockname()[1]}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving_to_network(app: ASGIApp) -> Iterator[httpx.Client]:
    """Serve an app at an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only determines the source address
        except OSError:
            pytest.skip("this machine has no address besides loopback")
        host = probe.getsockname()[0]
    with serving(app, host=host) as client:
        yield client


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()
