"""The whole graph on one page."""

import dagster as dg
from dagster_aws.s3 import S3Resource

from pin_pipeline import environment
from pin_pipeline.assets.audited import audited, streams_audited
from pin_pipeline.assets.cleaned import cleaned_assets
from pin_pipeline.assets.external import external_assets
from pin_pipeline.assets.quality import quality
from pin_pipeline.assets.quarantine import quarantine_asset
from pin_pipeline.assets.queries import query_assets
from pin_pipeline.assets.raw import raw_assets
from pin_pipeline.assets.serving import serving
from pin_pipeline.assets.streams import stream_assets
from pin_pipeline.assets.supervised import supervised
from pin_pipeline.jobs import daily_batch, emulation, rebuild, replay_quarantine, start_streams, stop_streams
from pin_pipeline.resources.gateway import GatewayResource
from pin_pipeline.resources.kafka import KafkaResource
from pin_pipeline.resources.lake import LakeResource
from pin_pipeline.resources.postgres import PostgresResource
from pin_pipeline.resources.source import SourceResource
from pin_pipeline.resources.spark import SparkResource
from pin_pipeline.resources.streaming_jobs import LocalStreamingJobsResource
from pin_pipeline.schedules import daily_batch_schedule
from pin_pipeline.sensors import stream_supervisor

settings = environment.load()

defs = dg.Definitions(
    assets=[
        *external_assets(settings),
        *raw_assets(settings),
        cleaned_assets(settings),
        quarantine_asset(settings),
        query_assets(settings),
        *stream_assets(settings),
        serving,
    ],
    asset_checks=[quality, audited, streams_audited, supervised],
    jobs=[emulation, daily_batch, replay_quarantine, rebuild, start_streams, stop_streams],
    schedules=[daily_batch_schedule],
    sensors=[stream_supervisor],
    resources={
        "source": SourceResource(url=dg.EnvVar("PIN_SOURCE_URL")),
        "gateway": GatewayResource(url=dg.EnvVar("PIN_GATEWAY_URL")),
        "kafka": KafkaResource(bootstrap_servers=dg.EnvVar("PIN_KAFKA_BOOTSTRAP"), prefix=dg.EnvVar("PIN_PREFIX")),
        "lake": LakeResource(
            s3=S3Resource(endpoint_url=dg.EnvVar("PIN_S3_ENDPOINT_URL"), region_name=dg.EnvVar("AWS_REGION")),
            bucket=dg.EnvVar("PIN_BUCKET"),
        ),
        "spark": SparkResource(
            home=str(settings.home),
            s3_endpoint_url=dg.EnvVar("PIN_S3_ENDPOINT_URL"),
            region=dg.EnvVar("AWS_REGION"),
        ),
        "postgres": PostgresResource(url=dg.EnvVar("PIN_POSTGRES_URL")),
        "streaming_jobs": LocalStreamingJobsResource(home=str(settings.home)),
    },
    # The steps of a run share one Spark session.
    executor=dg.in_process_executor,
)
