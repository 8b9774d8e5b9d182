"""What the tests of the emulator share: a filled source database and a gateway to post to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pin_pipeline.emulation import rest, synthetic
from pin_pipeline.emulation.rest import Gateway
from pin_pipeline.emulation.sinks import Topics
from pin_pipeline.emulation.source import SourceDatabase
from pin_pipeline.records import KINDS
from pin_pipeline_tests.emulation.gateway_double import GatewayDouble, running_gateway


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> SourceDatabase:
    database = SourceDatabase(f"sqlite:///{tmp_path_factory.mktemp('source') / 'source.db'}")
    synthetic.fill(database)
    return database


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayDouble]:
    monkeypatch.setattr(rest, "FIRST_WAIT_SECONDS", 0.001)
    with running_gateway() as double:
        yield double


@pytest.fixture
def topics(gateway: GatewayDouble) -> Iterator[Topics]:
    """The topics of the double."""
    with Gateway(gateway.url) as client:
        yield Topics(client, {kind: f"demo.{kind}" for kind in KINDS})
