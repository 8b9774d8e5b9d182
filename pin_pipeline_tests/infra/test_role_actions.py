"""Calls of each service, recorded while it runs, compared with the policy of its role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from pyspark.sql import SparkSession

from pin_pipeline.aws.kinesis import KinesisStreams
from pin_pipeline.aws.msk_connect import MskConnector
from pin_pipeline.batch.cleaning import clean_topics
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.batch.queries import QUERIES
from pin_pipeline.batch.query_runner import run_queries
from pin_pipeline.batch.rebuild import rebuild
from pin_pipeline.gateway.app import create_app
from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.kafka.topics import create_topics
from pin_pipeline.landing.kafka_connect import wait_until_landed
from pin_pipeline.local import s3
from pin_pipeline.quality.table_checks import check_table, cleaned_tables, count_complete_posts
from pin_pipeline.quarantine.summary import summarize
from pin_pipeline.reconciliation.stream import reconcile_configured_stream
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RECORD_TYPES, RecordType
from pin_pipeline.settings import Settings
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_keys import ObjectName
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming import queries
from pin_pipeline.streaming.kinesis_source.position import ShardPosition
from pin_pipeline.streaming.kinesis_source.service import KinesisStream
from pin_pipeline.streaming.supervision.heartbeat import Heartbeat, Heartbeats
from pin_pipeline_tests.aws.conftest import ARN
from pin_pipeline_tests.aws.control_plane import ControlPlane
from pin_pipeline_tests.aws.test_msk_connect import SPECIFICATION
from pin_pipeline_tests.batch.batch_helpers import put, topics
from pin_pipeline_tests.batch.test_vacuum import retain_nothing
from pin_pipeline_tests.gateway.conftest import post, serving
from pin_pipeline_tests.helpers.rows import geo, pin, user
from pin_pipeline_tests.helpers.topics import produce
from pin_pipeline_tests.infra.api_call_recorder import AuthorizingBroker, record_botocore_calls, record_s3_calls
from pin_pipeline_tests.infra.pipes_session import run_pipes_session
from pin_pipeline_tests.infra.policies import REGION, Call, grants
from pin_pipeline_tests.landing.test_verification import Sink
from pin_pipeline_tests.streaming.conftest import KinesisProducer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ROWS = {"pin": pin, "geo": geo, "user": user}
EXTERNAL_STATEMENTS = {"InstallWheel"}
"""Statements for actions of Databricks itself, before the code of the project runs."""


def differences(role: str, calls: set[Call], settings: Settings, services: str) -> list[str]:
    """Return the grants of a role that no call needed, and the calls that it does not allow."""
    granted = [
        grant._replace(resources=(resource,))
        for grant in grants(role, settings.prefix, settings.bucket)
        for resource in grant.resources
        if grant.action.split(":")[0] in services.split() and grant.sid not in EXTERNAL_STATEMENTS
    ]
    unneeded = [grant for grant in granted if not any(grant.covers(call) for call in calls)]
    missing = [call for call in calls if not any(grant.covers(call) for grant in granted)]
    return sorted(
        [f"unneeded: {grant.action} on {grant.resources[0]}" for grant in unneeded]
        + [f"missing: {' on '.join(call)}" for call in missing]
    )


@contextmanager
def recording(settings: Settings, spark: SparkSession | None = None) -> Iterator[tuple[Settings, set[Call]]]:
    """Yield settings whose clients are recorded, and the set of calls, which is complete after the block."""
    with record_s3_calls(settings.s3_endpoint_url or "") as (endpoint_url, s3_calls), record_botocore_calls() as boto:
        if spark:
            endpoint_of_bucket = f"fs.s3a.bucket.{settings.bucket}.endpoint"
            spark._jsc.hadoopConfiguration().set(endpoint_of_bucket, endpoint_url)
        calls: set[Call] = set()
        yield settings.model_copy(update={"s3_endpoint_url": endpoint_url}), calls
    calls |= s3_calls | boto


def put_legacy_object(settings: Settings, record_type: str, first: int) -> None:
    """Write an object under the prefix that earlier releases used for records that are not JSON."""
    body = json.dumps({"offset": first, "timestamp": 0, "base64": "IQ=="}).encode() + b"\n"
    assert ObjectStore.of(settings).put_once(ObjectName("quarantine", settings.topic(record_type), 0, first), body)


def test_databricks_jobs_call_exactly_the_s3_and_kinesis_actions_of_their_role(
    settings: Settings, streams: dict[str, str], spark: SparkSession, streaming_session: SparkSession
) -> None:
    for record_type, row in ROWS.items():
        put(settings, record_type, [row(1), row(2), b"no record"])
        put_legacy_object(settings, record_type, first=3)
        KinesisProducer(settings).post(streams[record_type], "key", row(1))
    on_s3 = settings.model_copy(update={"checkpoints": f"s3a://{settings.bucket}/checkpoints"})
    with recording(on_s3, spark) as (recorded, calls):
        lake, store = Lake.of(recorded), ObjectStore.of(recorded)
        list(clean_topics(SparkEngine(lambda: spark), lake, store, topics(recorded)))
        list(run_queries(SparkEngine(lambda: spark), lake, [QUERIES["users_joined_by_year"]]))
        list(rebuild(SparkEngine(lambda: spark), Lake.of(recorded), store, topics(recorded, "geo")))
        query = next(
            queries.QUERIES["kinesis_to_delta"](streaming_session, recorded)
        )  # the queries of the other streams make the same calls
        query.processAllAvailable()
        query.stop()
        for stream in streams.values():  # repeated in this process: the source runs in a worker of Spark
            service = KinesisStream(stream, recorded.region, recorded.kinesis_endpoint_url)
            service.describe()
            for shard in service.shards():
                service.fetch(shard.id, ShardPosition(), None, 1)
        run_pipes_session(s3_client(settings), s3_client(recorded), messages_bucket(settings))
        Heartbeats.of(recorded).write(Heartbeat("kinesis_to_delta", datetime.now(UTC), datetime.now(UTC)))
    role = "databricks_instance_profile"
    assert differences(role, calls, settings, "s3 kinesis") == []


def test_kafka_stream_calls_exactly_the_kafka_actions_of_its_role(
    authorized: Settings, authorizing_broker: AuthorizingBroker, spark: SparkSession
) -> None:
    produce(authorized, "pin", [pin(1)])
    topic = authorized.topic("pin")
    with authorizing_broker.recorded_calls() as calls:
        queries._topic_id(authorized, topic)
        read = (
            queries._read_kafka(spark, authorized, topic, {})
            .writeStream.format("noop")
            .trigger(availableNow=True)
            .start()
        )
        read.awaitTermination()
    assert differences("databricks_instance_profile", calls, authorized, "kafka-cluster") == []


def test_dagster_calls_exactly_the_actions_of_its_role(
    aws: ControlPlane, authorized: Settings, authorizing_broker: AuthorizingBroker
) -> None:
    settings, messages = authorized, messages_bucket(authorized)
    aws.brokers[ARN] = {"BootstrapBrokerString": settings.kafka.bootstrap}
    msk = KafkaConnection(cluster_arn=ARN, region=REGION)
    connector, kinesis = MskConnector(f"{settings.prefix}-landing", REGION), KinesisProducer(settings)
    connector.create({**SPECIFICATION, "connectorName": connector.name})
    for record_type, row in ROWS.items():
        produce(settings, record_type, [row(1), b"no record"])
        Sink(settings, record_type, consumer_group=connector.consumer_group).put([2])

    with authorizing_broker.recorded_calls() as on_kafka, recording(settings) as (recorded, calls):
        create_topics(msk, [f"{settings.prefix}.new"])
        service = KinesisStreams(REGION, settings.kinesis_endpoint_url)
        lake, store = Lake.of(recorded), ObjectStore.of(recorded)
        recorded_connector = MskConnector(connector.name, REGION)
        for record_type, row in ROWS.items():
            assert service.create(settings.stream(record_type), 1)
            kinesis.post(settings.stream(record_type), "key", row(1))
            wait_until_landed(msk, store, settings.topic(record_type), recorded_connector, timeout_seconds=30)
        recorded_connector.restart()
        list(clean_topics(EmbeddedEngine(), lake, store, topics(settings)))
        tables = cleaned_tables(lake)
        for name, definition in RECORD_TYPES.items():
            assert not reconcile_topic(definition, settings.topic(name), msk, lake, store).discrepancies
            reconcile_configured_stream(definition, recorded)
            list(check_table(definition, tables[name], count_complete_posts(tables), datetime.now(UTC)))
        summarize(lake)
        other_topics = settings.model_copy(update={"prefix": f"{settings.prefix}-other"})
        for record_type, row in ROWS.items():
            put(other_topics, record_type, [row(1), b"no record"])
            put_legacy_object(other_topics, record_type, first=2)
        run_embedded_steps(recorded, topics(other_topics))
        Heartbeats.of(recorded).read("kinesis_to_delta")
        run_pipes_session(s3_client(recorded), s3_client(settings), messages)
    # Listing topics checks DescribeTopic on every topic; those that may not be described are left out.
    own = {f"/{settings.topic(record_type)}" for record_type in RECORD_TYPES}
    others = {call for call in on_kafka if ":topic/" in call.resource and not call.resource.endswith((*own,))}
    assert (
        differences("dagster", calls | (on_kafka - others), settings, "s3 kinesis kafka kafka-cluster kafkaconnect")
        == []
    )


def run_embedded_steps(settings: Settings, topics: dict[str, RecordType]) -> None:
    """Run all kinds of batch steps on the embedded engine, and vacuum the tables."""
    engine, lake, store = EmbeddedEngine(), Lake.of(settings), ObjectStore.of(settings)
    list(run_queries(engine, lake, list(QUERIES.values())))
    list(clean_topics(engine, lake, store, topics, replay=True))
    list(rebuild(engine, lake, store, topics))
    list(run_queries(engine, lake, list(QUERIES.values())))
    keys = [f"{layer}/{record_type}" for layer in ("cleaned", "quarantine") for record_type in RECORD_TYPES]
    for key in (*keys, *(query.key for query in QUERIES.values())):
        retain_nothing(settings, key)
        assert lake.vacuum(key), key


def s3_client(settings: Settings) -> S3Client:
    client: S3Client = boto3.client("s3", endpoint_url=settings.s3_endpoint_url, region_name=settings.region)
    return client


def messages_bucket(settings: Settings) -> str:
    """Create the bucket for messages of Dagster Pipes."""
    bucket = f"{settings.bucket}-messages"
    s3.create_bucket(settings.s3_endpoint_url, bucket)
    return bucket


def test_gateway_calls_exactly_the_kafka_actions_of_its_role(
    authorized: Settings, authorizing_broker: AuthorizingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_KAFKA_BOOTSTRAP", authorized.kafka.bootstrap)
    monkeypatch.setenv("PIN_PREFIX", authorized.prefix)
    # Recording begins first: the producer of the gateway connects as soon as the gateway starts.
    with authorizing_broker.recorded_calls() as calls, serving(create_app()) as gateway:
        assert gateway.get(f"/topics/{authorized.topic('pin')}").status_code == 200
        for record_type in RECORD_TYPES:
            assert post(gateway, authorized.topic(record_type), {"value": ROWS[record_type](1)}).status_code == 200
            assert gateway.post(f"/{record_type}/", json=ROWS[record_type](2)).status_code == 200
    assert differences("gateway", calls, authorized, "kafka-cluster") == []
