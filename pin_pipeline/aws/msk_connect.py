"""The S3 sink connector on MSK Connect: its state and its restart. `infra/landing.tf` creates it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pin_pipeline.aws import clients
from pin_pipeline.aws.errors import AwsError, translate_errors

if TYPE_CHECKING:
    from mypy_boto3_kafkaconnect.client import KafkaConnectClient

SPECIFICATION = (
    "capacity",
    "connectorConfiguration",
    "connectorDescription",
    "connectorName",
    "kafkaCluster",
    "kafkaClusterClientAuthentication",
    "kafkaClusterEncryptionInTransit",
    "kafkaConnectVersion",
    "logDelivery",
    "plugins",
    "serviceExecutionRoleArn",
    "workerConfiguration",
)
"""Fields of a connector's description from which it can be created again."""
DELETED_SECONDS, POLL_SECONDS = 600, 5


@dataclass(frozen=True)
class ConnectorState:
    """State of a connector, and the reason that MSK Connect gives for it."""

    state: str
    detail: str

    @property
    def failed(self) -> bool:
        """Whether the connector has stopped and does not recover by itself."""
        return self.state in {"FAILED", "DELETING"}

    def __str__(self) -> str:
        return f"{self.state} ({self.detail})" if self.detail else self.state


@dataclass(frozen=True)
class MskConnector:
    """A connector, by its name. Every method raises AwsError if it does not exist or AWS refuses the request."""

    name: str
    region: str

    @property
    def consumer_group(self) -> str:
        """Consumer group in which the connector commits the offsets that its objects reach."""
        return f"connect-{self.name}"

    @cached_property
    def _client(self) -> KafkaConnectClient:
        client: KafkaConnectClient = clients.client("kafkaconnect", self.region)
        return client

    def create(self, specification: dict[str, Any]) -> None:
        """Create the connector from the parameters of the API call CreateConnector."""
        with translate_errors(f"create MSK Connect connector {self.name}"):
            self._client.create_connector(**specification)

    def state(self) -> ConnectorState:
        """Return the current state."""
        described = self._describe()
        reason = described.get("stateDescription", {})
        detail = ": ".join(filter(None, (reason.get("code"), reason.get("message"))))
        return ConnectorState(str(described["connectorState"]), detail)

    def restart(self) -> None:
        """Delete the connector and create it again with the same configuration.

        MSK Connect cannot restart a connector that has failed. The new one resumes at the committed offsets, because
        the consumer group outlives the connector.

        Raises:
            AwsError: AWS refuses a request, or does not delete the connector within `DELETED_SECONDS`.
        """
        described = self._describe()
        specification = {name: described[name] for name in SPECIFICATION if described.get(name)}
        with translate_errors(f"delete MSK Connect connector {self.name}"):
            self._client.delete_connector(connectorArn=described["connectorArn"])
        deadline = time.monotonic() + DELETED_SECONDS
        while self._arn() is not None:
            if time.monotonic() > deadline:
                raise AwsError(
                    f"MSK Connect did not delete connector {self.name} within {DELETED_SECONDS} s; try again"
                )
            time.sleep(POLL_SECONDS)
        self.create(specification)

    def _describe(self) -> dict[str, Any]:
        arn = self._arn()
        if arn is None:
            raise AwsError(
                f"MSK Connect connector {self.name} does not exist in region {self.region}: create it (`infra/`), or "
                "set PIN_MSK_CONNECTOR to the name of an existing one"
            )
        with translate_errors(f"describe MSK Connect connector {self.name}"):
            return dict(self._client.describe_connector(connectorArn=arn))

    def _arn(self) -> str | None:
        with translate_errors(f"find MSK Connect connector {self.name}"):
            for page in self._client.get_paginator("list_connectors").paginate(connectorNamePrefix=self.name):
                for connector in page["connectors"]:
                    if connector.get("connectorName") == self.name:
                        return str(connector["connectorArn"])
        return None
