"""Local backends of the resources, on the servers that `pin-pipeline up` starts."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field, PrivateAttr

from pin_pipeline.aws import clients
from pin_pipeline.batch.tasks import BatchTask
from pin_pipeline.defs.resources.interfaces import (
    BatchResource,
    GatewayResource,
    KafkaResource,
    KinesisResource,
    LakeResource,
    LandingResource,
    PostgresResource,
    SourceResource,
    StreamingJobsResource,
)
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.landing.lander import LandingResult, land_topic
from pin_pipeline.local import jars
from pin_pipeline.local.open_files import allow_many_open_files
from pin_pipeline.local.streaming_jobs import LocalStreamingJobs
from pin_pipeline.local.writer_lock import only_writer
from pin_pipeline.reports import Report
from pin_pipeline.settings import Settings, set_variables
from pin_pipeline.spark.session import MAX_BATCH_BYTES, spark_conf
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming.supervision.backend import StreamingJobs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class IsolatedS3Resource(S3Resource):
    """S3 whose clients, if the endpoint is on this machine, depend on no profile and no proxy of the user."""

    def get_client(self) -> Any:  # noqa: ANN401 - as in the base class
        """Return a client of the endpoint."""
        return clients.client("s3", self.region_name, self.endpoint_url)


class PlaintextKafka(KafkaResource):
    """Kafka broker that is reached without encryption and authentication."""

    bootstrap_servers: str = Field(description="Brokers to contact first: host:port, separated by commas.")

    def connection(self) -> KafkaConnection:
        """Return the connection settings of the broker."""
        return KafkaConnection(self.bootstrap_servers)


class InProcessLanding(LandingResource):
    """Landing by the process of the run, which reads the topic and writes the objects."""

    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Land the topic up to the end offsets at the start of the call."""
        options = {"fail_on_data_loss": fail_on_data_loss, "fill_gaps": fill_gaps}
        return land_topic(self.kafka.connection(), store, self.kafka.topic(record_type), **options)

    def restart(self) -> str:
        """Return that there is no connector to restart."""
        return "nothing to restart: the run itself lands the topics in this environment"


class LocalBatchResource(BatchResource):
    """Batch engines in the process of the run: the embedded one for small steps, a Spark session for large ones."""

    home: str = Field(description="Folder of the local state, which holds the lock of the only batch writer.")
    s3_endpoint_url: str | None = Field(description="Endpoint of S3; by default that of the AWS region.")
    region: str = Field(description="AWS region of the bucket.")
    _starting: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    def only_writer(self, lake: LakeResource) -> AbstractContextManager[None]:  # noqa: ARG002 - a home has one lake
        """Wait until no other process of this machine runs a batch step."""
        return only_writer(Path(self.home))

    def run_on_spark(self, context: dg.AssetExecutionContext, task: BatchTask, lake: LakeResource) -> Iterator[Report]:  # noqa: ARG002 - Spark needs no context
        """Run a task on a Spark session in the process of the run."""
        from pin_pipeline.batch.engines.spark import SparkEngine  # noqa: PLC0415 - an engine is imported when it is needed

        return task.run(SparkEngine(self.session, MAX_BATCH_BYTES), lake.tables(), lake.objects())

    def session(self) -> "SparkSession":
        """Return the Spark session of this process and start it on the first call."""
        from dagster_pyspark import LazyPySparkResource  # noqa: PLC0415 - an engine is imported when it is needed

        with self._starting:
            allow_many_open_files()
            conf = spark_conf(jars.ensure("spark"), Path(self.home), self.s3_endpoint_url, self.region)
            session: SparkSession = LazyPySparkResource(spark_config=conf).spark_session
            return session


class LocalStreamingJobsResource(StreamingJobsResource):
    """Streaming jobs as processes of this machine, which keep running when a run or the UI ends."""

    home: str = Field(description="Folder of the local state, which holds the logs and locks of the jobs.")

    def jobs(self) -> StreamingJobs:
        """Return the client of the local processes."""
        return LocalStreamingJobs(Path(self.home))


def local_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """Create the resources of the local environment."""
    kafka = PlaintextKafka(bootstrap_servers=settings.kafka_bootstrap, prefix=settings.prefix)
    s3 = IsolatedS3Resource(endpoint_url=settings.s3_endpoint_url, region_name=settings.region)
    return {
        "source": SourceResource(
            url=_variable_or("PIN_SOURCE_URL", settings.source_url),
            secret=settings.source_secret,
            region=settings.region,
        ),
        "gateway": GatewayResource(url=settings.gateway_url),
        "kafka": kafka,
        "landing": InProcessLanding(kafka=kafka),
        "kinesis": KinesisResource(
            prefix=settings.prefix, region=settings.region, endpoint_url=settings.kinesis_endpoint_url
        ),
        "lake": LakeResource(s3=s3, bucket=settings.bucket),
        "batch": LocalBatchResource(
            home=str(settings.home),
            s3_endpoint_url=settings.s3_endpoint_url,
            region=settings.region,
            engine=settings.batch_engine,
            max_embedded_bytes=settings.max_embedded_bytes,
        ),
        "postgres": PostgresResource(url=_variable_or("PIN_POSTGRES_URL", settings.postgres_url)),
        "streaming_jobs": LocalStreamingJobsResource(home=str(settings.home)),
    }


def _variable_or(name: str, default: str) -> str:
    """Return a reference to a variable that is set: a URL may hold a password, which the UI must not show."""
    return dg.EnvVar(name) if set_variables([name]) else default
