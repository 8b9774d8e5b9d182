"""Fixtures for tests of the commands."""

from __future__ import annotations

import pytest

from pin_pipeline.settings import Settings
from pin_pipeline_tests.helpers.command_line import CommandLine


@pytest.fixture
def connected(local_environment: Settings, command_line: CommandLine) -> CommandLine:
    """Provide commands that use the servers of the test run."""
    assert local_environment.s3_endpoint_url
    command_line.variables = {
        "PIN_KAFKA_BOOTSTRAP": local_environment.kafka.bootstrap,
        "PIN_S3_ENDPOINT_URL": local_environment.s3_endpoint_url,
        "PIN_GATEWAY_URL": local_environment.gateway_url,
    }
    return command_line
