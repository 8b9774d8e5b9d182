"""The S3 sink connector on MSK Connect: what it is told, how it is, and how it is made anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3

from pin_pipeline.aws.errors import AwsError, asking

if TYPE_CHECKING:
    from mypy_boto3_kafkaconnect.client import KafkaConnectClient

# What a connector is described by that it can be created from again.
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
DELETED_SECONDS, POLL_SECONDS = 600, 5
BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"


def sink_configuration(topics: Sequence[str], bucket: str, region: str) -> dict[str, str]:
    """The configuration of Confluent's S3 sink connector under which its objects are what landing expects.

    Bytes as they arrived, a line a record, so that nothing is parsed and written anew; only what is committed; objects
    by number of records, and each minute what there is, so that the end of a topic is reached.
    """
    return {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "tasks.max": str(len(topics)),
        "topics": ",".join(topics),
        "s3.bucket.name": bucket,
        "s3.region": region,
        "topics.dir": "topics",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
        "format.class": "io.confluent.connect.s3.format.bytearray.ByteArrayFormat",
        "format.bytearray.extension": ".json",
        "key.converter": BYTES,
        "value.converter": BYTES,
        "consumer.override.isolation.level": "read_committed",
        "flush.size": "20000",
        "rotate.schedule.interval.ms": "60000",
        # After a crash the same objects are written once more, not their records again into others.
        "enable.conditional.writes": "false",
        "timezone": "UTC",
        "filename.offset.zero.pad.width": "10",
        "errors.tolerance": "none",
        # Ignored, a tombstone would be the one record that is neither published nor in quarantine.
        "behavior.on.null.values": "fail",
    }


@dataclass(frozen=True)
class ConnectorState:
    """How a connector is, and what MSK Connect says of it."""

    state: str
    detail: str

    @property
    def failed(self) -> bool:
        """Whether it does not go on by itself."""
        return self.state in {"FAILED", "DELETING"}

    def __str__(self) -> str:
        return f"{self.state} ({self.detail})" if self.detail else self.state


@dataclass(frozen=True)
class MskConnector:
    """A connector of an account, by its name; every method raises AwsError where AWS refuses or there is none."""

    name: str
    region: str

    @property
    def group(self) -> str:
        """The consumer group by which it commits how far its objects reach."""
        return f"connect-{self.name}"

    @cached_property
    def _client(self) -> KafkaConnectClient:
        client: KafkaConnectClient = boto3.client("kafkaconnect", region_name=self.region or None)
        return client

    def create(self, specification: dict[str, Any]) -> None:
        """Create it, by what CreateConnector takes."""
        with asking(f"create MSK Connect connector {self.name}"):
            self._client.create_connector(**specification)

    def state(self) -> ConnectorState:
        """How it is now."""
        described = self._describe()
        told = described.get("stateDescription", {})
        detail = ": ".join(filter(None, (told.get("code"), told.get("message"))))
        return ConnectorState(str(described["connectorState"]), detail)

    def restart(self) -> None:
        """Delete it and create it as it was: MSK Connect restarts none that has failed.

        It goes on where it was, as its consumer group outlives it.

        Raises:
            AwsError: also where the old one is not gone in time.
        """
        described = self._describe()
        specification = {name: described[name] for name in SPECIFICATION if described.get(name)}
        with asking(f"delete MSK Connect connector {self.name}"):
            self._client.delete_connector(connectorArn=described["connectorArn"])
        patience = time.monotonic() + DELETED_SECONDS
        while self._arn() is not None:
            if time.monotonic() > patience:
                raise AwsError(f"MSK Connect connector {self.name} was not deleted in {DELETED_SECONDS} s; try again")
            time.sleep(POLL_SECONDS)
        self.create(specification)

    def _describe(self) -> dict[str, Any]:
        arn = self._arn()
        if arn is None:
            raise AwsError(
                f"there is no MSK Connect connector {self.name} in region {self.region}: create it (`infra/`), or set "
                "PIN_MSK_CONNECTOR to its name"
            )
        with asking(f"describe MSK Connect connector {self.name}"):
            return dict(self._client.describe_connector(connectorArn=arn))

    def _arn(self) -> str | None:
        with asking(f"look for MSK Connect connector {self.name}"):
            for page in self._client.get_paginator("list_connectors").paginate(connectorNamePrefix=self.name):
                for connector in page["connectors"]:
                    if connector.get("connectorName") == self.name:
                        return str(connector["connectorArn"])
        return None
