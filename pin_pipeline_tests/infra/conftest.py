"""A broker that tells what it authorizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pin_pipeline.environment import Settings
from pin_pipeline.messaging.connection import KafkaConnection
from pin_pipeline.messaging.topics import create_topics
from pin_pipeline.records import KINDS
from pin_pipeline_tests.aws.conftest import aws, moto
from pin_pipeline_tests.infra.recorded import AuthorizingBroker

__all__ = ["aws", "moto"]  # fixtures of an account, for what Dagster asks of one


@pytest.fixture(scope="module")
def authorizing_broker(
    local_environment: Settings,  # noqa: ARG001 - the jars of it
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AuthorizingBroker]:
    """A broker of the module's own."""
    home = tmp_path_factory.mktemp("authorizing")
    (home / "logs").mkdir()
    broker = AuthorizingBroker(home)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def authorized(settings: Settings, authorizing_broker: AuthorizingBroker) -> Settings:
    """The settings of a test whose topics are on that broker."""
    mine = replace(settings, kafka=KafkaConnection(authorizing_broker.server.address))
    create_topics(mine.kafka, [mine.topic(kind) for kind in KINDS])
    return mine
