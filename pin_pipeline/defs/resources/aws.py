"""AWS backends of the resources: MSK, MSK Connect and Databricks."""

from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from pin_pipeline.aws.msk_connect import MskConnector
from pin_pipeline.defs.resources.databricks import databricks_resources
from pin_pipeline.defs.resources.interfaces import (
    GatewayResource,
    KafkaResource,
    KinesisResource,
    LakeResource,
    LandingResource,
    PostgresResource,
    SourceResource,
)
from pin_pipeline.kafka.connection import KafkaConnection, Security
from pin_pipeline.landing.kafka_connect import TIMEOUT_SECONDS, wait_until_landed
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.settings import Settings
from pin_pipeline.storage.object_store import ObjectStore


class MskKafka(KafkaResource):
    """MSK cluster, whose brokers are looked up by its ARN; clients authenticate by IAM role or by SCRAM."""

    cluster_arn: str = Field(description="ARN of the cluster, by which its brokers are looked up.")
    region: str = Field(description="AWS region of the cluster.")
    security: Security = Field(
        default=Security.IAM, description="Authentication of the clients: IAM or SCRAM, both over TLS."
    )
    secret: str = Field(default="", description="Name or ARN of the secret with the login; needed for SCRAM only.")
    ca_file: str = Field(
        default="", description="PEM file with the certificates of the brokers' CA, if it is not a public one."
    )

    def connection(self) -> KafkaConnection:
        """Return the connection settings of the cluster."""
        return KafkaConnection("", self.cluster_arn, self.security, self.secret, self.region, self.ca_file)


class MskConnectLanding(LandingResource):
    """Landing by an MSK Connect connector; a run waits for its objects and verifies them."""

    connector: str = Field(description="Name of the S3 sink connector.")
    region: str = Field(description="AWS region of the connector.")
    timeout_minutes: float = Field(
        default=TIMEOUT_SECONDS / 60,
        description="Minutes without a new object after which the connector counts as stuck and the run fails.",
    )

    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Wait until the connector has landed the topic; `fill_gaps` verifies all objects, not only the new ones."""
        return wait_until_landed(
            self.kafka.connection(),
            store,
            self.kafka.topic(record_type),
            self._connector(),
            timeout_seconds=self.timeout_minutes * 60,
            fail_on_data_loss=fail_on_data_loss,
            verify_all=fill_gaps,
        )

    def restart(self) -> str:
        """Delete the connector and create it with the same configuration; it resumes at its committed offsets."""
        self._connector().restart()
        return f"connector {self.connector} was deleted and created again"

    def _connector(self) -> MskConnector:
        return MskConnector(self.connector, self.region)


def aws_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """Create the resources of an AWS account, with the same keys as `local_resources`.

    A required variable that is not set is reported by name by the run that uses the resource.
    """
    prefix, region = settings.prefix, dg.EnvVar("AWS_REGION")
    kafka = MskKafka(
        prefix=prefix,
        cluster_arn=dg.EnvVar("PIN_MSK_CLUSTER_ARN"),
        region=region,
        security=settings.kafka.security,
        secret=dg.EnvVar("PIN_KAFKA_SECRET") if settings.kafka.security is Security.SCRAM else "",
        ca_file=settings.kafka.ca_file,
    )
    postgres = PostgresResource(url=dg.EnvVar("PIN_POSTGRES_URL"))
    return {
        "source": SourceResource(url=dg.EnvVar("PIN_SOURCE_URL"), secret=settings.source_secret, region=region),
        "gateway": GatewayResource(url=dg.EnvVar("PIN_GATEWAY_URL")),
        "kafka": kafka,
        "landing": MskConnectLanding(kafka=kafka, connector=dg.EnvVar("PIN_MSK_CONNECTOR"), region=region),
        "kinesis": KinesisResource(prefix=prefix, region=region, endpoint_url=settings.kinesis_endpoint_url),
        "lake": LakeResource(
            s3=S3Resource(region_name=region, endpoint_url=settings.s3_endpoint_url), bucket=dg.EnvVar("PIN_BUCKET")
        ),
        "postgres": postgres,
        **databricks_resources(settings, postgres),
    }
