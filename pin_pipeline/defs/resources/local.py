"""The resources of a laptop: real engines, no account."""

from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from pin_pipeline.defs.resources.gateway import GatewayResource
from pin_pipeline.defs.resources.kafka import PlaintextKafka
from pin_pipeline.defs.resources.kinesis import KinesisResource
from pin_pipeline.defs.resources.lake import LakeResource
from pin_pipeline.defs.resources.landing import InProcessLanding
from pin_pipeline.defs.resources.postgres import PostgresResource
from pin_pipeline.defs.resources.source import SourceResource
from pin_pipeline.defs.resources.spark import LocalSparkResource
from pin_pipeline.defs.resources.streaming_jobs import LocalStreamingJobsResource
from pin_pipeline.settings import Settings


def local_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """What the assets work with where `pin-pipeline up` has started the servers."""
    kafka = PlaintextKafka(bootstrap_servers=dg.EnvVar("PIN_KAFKA_BOOTSTRAP"), prefix=dg.EnvVar("PIN_PREFIX"))
    return {
        "source": SourceResource(url=dg.EnvVar("PIN_SOURCE_URL")),
        "gateway": GatewayResource(url=dg.EnvVar("PIN_GATEWAY_URL")),
        "kafka": kafka,
        "landing": InProcessLanding(kafka=kafka),
        "kinesis": KinesisResource(
            prefix=dg.EnvVar("PIN_PREFIX"),
            region=dg.EnvVar("AWS_REGION"),
            endpoint_url=dg.EnvVar("PIN_KINESIS_ENDPOINT_URL"),
        ),
        "lake": LakeResource(
            s3=S3Resource(endpoint_url=dg.EnvVar("PIN_S3_ENDPOINT_URL"), region_name=dg.EnvVar("AWS_REGION")),
            bucket=dg.EnvVar("PIN_BUCKET"),
        ),
        "spark": LocalSparkResource(
            home=str(settings.home),
            s3_endpoint_url=dg.EnvVar("PIN_S3_ENDPOINT_URL"),
            region=dg.EnvVar("AWS_REGION"),
        ),
        "postgres": PostgresResource(url=dg.EnvVar("PIN_POSTGRES_URL")),
        "streaming_jobs": LocalStreamingJobsResource(home=str(settings.home)),
    }
