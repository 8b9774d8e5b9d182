"""The resources of an AWS account: the same keys as on a laptop, other things behind them."""

from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from pin_pipeline.defs.resources.databricks import databricks_resources
from pin_pipeline.defs.resources.gateway import GatewayResource
from pin_pipeline.defs.resources.kafka import MskKafka
from pin_pipeline.defs.resources.kinesis import KinesisResource
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.landing import MskConnectLanding
from pin_pipeline.defs.resources.postgres import PostgresResource
from pin_pipeline.defs.resources.source import SourceResource
from pin_pipeline.kafka.connection import Security
from pin_pipeline.settings import Settings


def aws_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """What the assets work with on AWS. A variable that is not set is missed, by its name, where it is needed."""
    prefix, region = dg.EnvVar("PIN_PREFIX"), dg.EnvVar("AWS_REGION")
    kafka = MskKafka(
        prefix=prefix,
        cluster_arn=dg.EnvVar("PIN_MSK_CLUSTER_ARN"),
        region=region,
        security=settings.kafka.security,
        secret=dg.EnvVar("PIN_KAFKA_SECRET") if settings.kafka.security is Security.SCRAM else "",
        ca_file=settings.kafka.ca_file,
    )
    return {
        "source": SourceResource(url=dg.EnvVar("PIN_SOURCE_URL"), secret=settings.source_secret, region=region),
        "gateway": GatewayResource(url=dg.EnvVar("PIN_GATEWAY_URL")),
        "kafka": kafka,
        "landing": MskConnectLanding(kafka=kafka, connector=dg.EnvVar("PIN_MSK_CONNECTOR"), region=region),
        "kinesis": KinesisResource(prefix=prefix, region=region, endpoint_url=settings.kinesis_endpoint_url),
        "lake": LakeResource(
            s3=S3Resource(region_name=region, endpoint_url=settings.s3_endpoint_url), bucket=dg.EnvVar("PIN_BUCKET")
        ),
        "postgres": PostgresResource(url=dg.EnvVar("PIN_POSTGRES_URL")),
        **databricks_resources(settings),
    }
