"""The S3 sink connector on a control plane that keeps what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from pin_pipeline.aws.errors import AwsError
from pin_pipeline.aws.msk_connect import MskConnector, sink_configuration
from pin_pipeline_tests.aws.control_plane import ControlPlane

SPECIFICATION: dict[str, Any] = {
    "connectorName": "pins",
    "connectorConfiguration": sink_configuration(["pinterest.pin", "pinterest.geo"], "pin-bucket", "us-east-1"),
    "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
    "kafkaCluster": {
        "apacheKafkaCluster": {"bootstrapServers": "b-1:9098", "vpc": {"securityGroups": [], "subnets": []}}
    },
    "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
    "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
    "kafkaConnectVersion": "3.7.x",
    "plugins": [{"customPlugin": {"customPluginArn": "arn:aws:kafkaconnect:plugin/s3", "revision": 1}}],
    "serviceExecutionRoleArn": "arn:aws:iam::123456789012:role/connector",
}


@pytest.fixture
def connector(aws: ControlPlane) -> MskConnector:  # noqa: ARG001 - only its effect is wanted
    return MskConnector("pins", "us-east-1")


def test_a_connector_is_created_and_tells_how_it_is(aws: ControlPlane, connector: MskConnector) -> None:
    connector.create(SPECIFICATION)
    assert str(connector.state()) == "RUNNING"
    [described] = aws.connectors.values()
    described |= {
        "connectorState": "FAILED",
        "stateDescription": {"code": "UnknownError.BadPlugin", "message": "no such class"},
    }
    state = connector.state()
    assert (state.failed, str(state)) == (True, "FAILED (UnknownError.BadPlugin: no such class)")


def test_a_restarted_connector_is_another_one_that_was_told_the_same(
    aws: ControlPlane, connector: MskConnector
) -> None:
    connector.create(SPECIFICATION)
    [before] = aws.connectors.values()
    before["connectorState"] = "FAILED"
    connector.restart()
    [after] = aws.connectors.values()
    assert after["connectorArn"] != before["connectorArn"]
    assert {name: after[name] for name in SPECIFICATION} == SPECIFICATION
    assert connector.state().state == "RUNNING"


def test_a_connector_of_a_longer_name_is_another_one(connector: MskConnector) -> None:
    MskConnector("pins-of-another", "us-east-1").create({**SPECIFICATION, "connectorName": "pins-of-another"})
    with pytest.raises(AwsError) as told:
        connector.state()
    assert str(told.value) == (
        "there is no MSK Connect connector pins in region us-east-1: create it (`infra/`), or set PIN_MSK_CONNECTOR to "
        "its name"
    )
