"""Fixtures for tests of the emulator: a filled source database, and an HTTP server in place of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pin_pipeline.emulator import gateway_client, synthetic
from pin_pipeline.emulator.gateway_client import Gateway
from pin_pipeline.emulator.sinks import TopicSink
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline_tests.emulator.gateway_double import GatewayDouble, running_gateway
from pin_pipeline_tests.emulator.mariadb_server import MariaDbServer, running_mariadb


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> SourceDatabase:
    database = SourceDatabase(f"sqlite:///{tmp_path_factory.mktemp('source') / 'source.db'}")
    synthetic.fill(database)
    return database


@pytest.fixture
def database(tmp_path: Path) -> SourceDatabase:
    """Empty source database."""
    return SourceDatabase(f"sqlite:///{tmp_path / 'folder' / 'source.db'}")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    with running_mariadb() as server:
        yield server


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayDouble]:
    monkeypatch.setattr(gateway_client, "FIRST_WAIT_SECONDS", 0.001)
    with running_gateway() as double:
        yield double


@pytest.fixture
def topics(gateway: GatewayDouble) -> Iterator[TopicSink]:
    """Sink to the topics of the double."""
    with Gateway(gateway.url) as client:
        yield TopicSink(client, {record_type: f"demo.{record_type}" for record_type in RECORD_TYPES})
