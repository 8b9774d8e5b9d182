"""The S3 sink connector on an emulated control plane of MSK Connect."""

from __future__ import annotations

from typing import Any

import pytest

from pin_pipeline.aws.errors import AwsError
from pin_pipeline.aws.msk_connect import MskConnector
from pin_pipeline_tests.aws.control_plane import ControlPlane
from pin_pipeline_tests.helpers.sink_configuration import sink_configuration

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


def test_connector_state_has_reason_of_msk_connect(aws: ControlPlane, connector: MskConnector) -> None:
    connector.create(SPECIFICATION)
    assert str(connector.state()) == "RUNNING"
    [described] = aws.connectors.values()
    described |= {
        "connectorState": "FAILED",
        "stateDescription": {"code": "UnknownError.BadPlugin", "message": "no such class"},
    }
    state = connector.state()
    assert (state.failed, str(state)) == (True, "FAILED (UnknownError.BadPlugin: no such class)")


def test_restart_creates_another_connector_with_the_same_specification(
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


def test_connector_is_found_by_its_whole_name(connector: MskConnector) -> None:
    MskConnector("pins-other", "us-east-1").create({**SPECIFICATION, "connectorName": "pins-other"})
    with pytest.raises(AwsError) as caught:
        connector.state()
    assert str(caught.value) == (
        "MSK Connect connector pins does not exist in region us-east-1: create it (`infra/`), or set PIN_MSK_CONNECTOR "
        "to the name of an existing one"
    )
