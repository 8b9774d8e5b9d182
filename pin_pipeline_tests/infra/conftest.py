"""A broker that tells what it authorizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.aws.conftest import aws, moto
from pin_pipeline_tests.infra.api_call_recorder import AuthorizingBroker

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
    create_topics(mine.kafka, [mine.topic(record_type) for record_type in RECORD_TYPES])
    return mine
