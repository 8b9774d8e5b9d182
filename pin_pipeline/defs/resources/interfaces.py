"""Interfaces of the resources that assets, checks, jobs and sensors use; the backends are in separate modules."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from pin_pipeline.aws.kinesis import KinesisStreams, stream_name
from pin_pipeline.batch.engine_choice import choose_engine
from pin_pipeline.batch.tasks import BatchTask, run_embedded
from pin_pipeline.defs.resources.fixed import FixedResource
from pin_pipeline.emulator.source import SourceDatabase
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.kafka.topics import create_topics, topic_name
from pin_pipeline.landing.lander import LandingResult
from pin_pipeline.reconciliation.findings import TopicFindings
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RecordType
from pin_pipeline.reports import Report
from pin_pipeline.settings import BatchEngineName
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.storage.postgres import Postgres
from pin_pipeline.streaming.supervision.backend import StreamingJobs
from pin_pipeline.streaming.supervision.heartbeat import Heartbeats

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class SourceResource(FixedResource["SourceResource"]):
    """Source database that the emulator draws posts from: SQLite or MySQL."""

    url: str = Field(description="SQLAlchemy URL: sqlite:///... or mysql+pymysql://...")
    secret: str = Field(
        default="", description="Name or ARN of the Secrets Manager secret with the login, if the URL has none."
    )
    region: str = Field(default="", description="AWS region of the secret.")

    def database(self) -> SourceDatabase:
        """Return the database, which connects on first use.

        Raises:
            AwsError: the secret cannot be read.
        """
        return SourceDatabase.connect(self.url, self.secret, self.region)


class GatewayResource(FixedResource["GatewayResource"]):
    """HTTP gateway to Kafka and Kinesis."""

    url: str = Field(description="Base URL of the gateway.")


class KafkaResource(FixedResource["KafkaResource"], ABC):
    """Kafka cluster that holds the topics."""

    prefix: str = Field(description="Prefix of the topics: {prefix}.pin, {prefix}.geo and {prefix}.user.")

    @abstractmethod
    def connection(self) -> KafkaConnection:
        """Return the connection settings of the cluster, from which every Kafka client is configured."""

    def topic(self, record_type: str) -> str:
        """Return the topic of a record type."""
        return topic_name(self.prefix, record_type)

    def create_topics(self, record_types: Sequence[str]) -> list[str]:
        """Create the missing topics of these record types and return the names of the new ones."""
        return create_topics(self.connection(), map(self.topic, record_types))

    def reconcile(
        self, record_type: RecordType, lake: Lake, store: ObjectStore, start_offsets: Mapping[int, int]
    ) -> TopicFindings:
        """Reconcile the topic of a record type with the landed objects and the tables.

        Args:
            start_offsets: first offset to verify, by partition; 0 if missing.
        """
        topic = self.topic(record_type.name)
        return reconcile_topic(record_type, topic, self.connection(), lake, store, start_offsets)


class KinesisResource(FixedResource["KinesisResource"]):
    """Kinesis streams, the second path of the posts beside the topics."""

    prefix: str = Field(
        description="Prefix of the streams: streaming-{prefix}-pin, streaming-{prefix}-geo and streaming-{prefix}-user."
    )
    region: str = Field(description="AWS region of the streams.")
    endpoint_url: str | None = Field(
        default=None, description="Endpoint of the Kinesis API; by default that of the AWS region."
    )

    def stream(self, record_type: str) -> str:
        """Return the stream of a record type."""
        return stream_name(self.prefix, record_type)

    def streams(self) -> KinesisStreams:
        """Return the administrative client of the streams."""
        return KinesisStreams(self.region, self.endpoint_url)


class LakeResource(FixedResource["LakeResource"]):
    """S3 bucket with the landed objects, the Delta tables and the heartbeats; boto3 finds the credentials."""

    s3: dg.ResourceDependency[S3Resource]
    bucket: str = Field(description="Bucket that holds the landed objects, the Delta tables and the heartbeats.")

    def objects(self) -> ObjectStore:
        """Return the landed objects."""
        return ObjectStore(self._client, self.bucket)

    def tables(self) -> Lake:
        """Return the Delta tables; all steps of a run share one instance, so that each table is opened once."""
        return self._tables

    def heartbeats(self) -> Heartbeats:
        """Return the heartbeats of the streaming jobs."""
        meta = self._client.meta
        return Heartbeats.at(meta.endpoint_url, meta.region_name, self.bucket)

    @cached_property
    def _tables(self) -> Lake:
        meta = self._client.meta
        return Lake(self.bucket, meta.endpoint_url, meta.region_name)

    @cached_property
    def _client(self) -> "S3Client":
        """Client that all steps of a run share: creating one takes 0.25 s."""
        client: S3Client = self.s3.get_client()
        return client


class LandingResource(FixedResource["LandingResource"], ABC):
    """Landing of the topics on S3 as write-once objects."""

    kafka: dg.ResourceDependency[KafkaResource]

    @abstractmethod
    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Return when all records that are on the topic at the start of the call are on S3.

        Args:
            record_type: the record type whose topic is landed.
            store: destination of the objects.
            fail_on_data_loss: whether records that the topic deleted before they were landed are an error.
            fill_gaps: whether to examine all landed objects instead of the new ones only.
        """

    @abstractmethod
    def restart(self) -> str:
        """Restart the connector, if landing uses one, and return a sentence that says what was done."""


class PostgresResource(FixedResource["PostgresResource"]):
    """Postgres database with the real-time tables and the serving view."""

    url: str = Field(description="URL of the database: postgresql://user:password@host:port/pinterest_streaming")

    def database(self) -> Postgres:
        """Return the database, which connects on first use."""
        return Postgres(self.url)


class BatchResource(FixedResource["BatchResource"], ABC):
    """Batch engines: the embedded one in the process of the run for small steps, and Spark for large ones."""

    engine: BatchEngineName = Field(default="auto", description="Engine of each step: auto, embedded or spark.")
    max_embedded_bytes: int = Field(description="Steps that read and rewrite more bytes run on Spark, if auto.")

    def run(self, context: dg.AssetExecutionContext, task: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Run a task on the lake and yield a report on each table as soon as the table is finished."""
        with self.only_writer(lake):
            tables, objects = lake.tables(), lake.objects()
            choice = choose_engine(task, tables, objects, self.engine, self.max_embedded_bytes)
            context.log.info("batch engine: %s (%s)", choice.engine, choice.reason)
            if choice.engine == "embedded":
                reports = run_embedded(task, tables, objects)
            else:
                reports = self.run_on_spark(context, task, lake)
            yield from map(choice.label, reports)

    @abstractmethod
    def only_writer(self, lake: LakeResource) -> AbstractContextManager[None]:
        """Wait until no other step writes to the lake, and let none begin during the block.

        Spark's Delta on S3 detects conflicting commits only within one driver, and can overwrite a commit of delta-rs.
        """

    @abstractmethod
    def run_on_spark(self, context: dg.AssetExecutionContext, task: BatchTask, lake: LakeResource) -> Iterator[Report]:
        """Run a task on Spark and yield a report on each table as soon as the table is finished."""


class StreamingJobsResource(FixedResource["StreamingJobsResource"], ABC):
    """Platform that runs the streaming jobs."""

    @abstractmethod
    def jobs(self) -> StreamingJobs:
        """Return the client that starts, stops and describes the streaming jobs."""
