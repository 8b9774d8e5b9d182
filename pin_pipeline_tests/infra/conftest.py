"""Fixtures: a broker whose calls are recorded, and settings that use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.records import RECORD_TYPES
from pin_pipeline.settings import Settings
from pin_pipeline_tests.aws.conftest import aws, moto
from pin_pipeline_tests.infra.api_call_recorder import AuthorizingBroker

__all__ = ["aws", "moto"]  # fixtures of a fake AWS account


@pytest.fixture(scope="module")
def authorizing_broker(
    local_environment: Settings,  # noqa: ARG001 - downloads the jars
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AuthorizingBroker]:
    """Start a broker for the module."""
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
    """Return settings whose topics are on the authorizing broker."""
    changed = settings.model_copy(update={"kafka_bootstrap": authorizing_broker.server.address})
    create_topics(changed.kafka, [changed.topic(record_type) for record_type in RECORD_TYPES])
    return changed
