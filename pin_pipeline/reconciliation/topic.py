"""Reconciliation of a topic: follow each record from the broker over S3 into the tables."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaException

from pin_pipeline.kafka.connection import KafkaConnection
from pin_pipeline.reconciliation.broker import BrokerReader
from pin_pipeline.reconciliation.errors import ReconciliationError
from pin_pipeline.reconciliation.findings import PartitionCounts, TopicFindings
from pin_pipeline.reconciliation.objects import ObjectReader
from pin_pipeline.reconciliation.tables import TopicTables
from pin_pipeline.reconciliation.topic_reconciler import TopicReconciler
from pin_pipeline.records import RecordType
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore


def reconcile_topic(
    record_type: RecordType,
    topic: str,
    connection: KafkaConnection,
    lake: Lake,
    store: ObjectStore,
    since: Mapping[int, int] | None = None,
) -> TopicFindings:
    """Reconcile a topic with its objects on S3 and its tables in the lake; see `reconcile_topic_records`.

    Raises:
        ReconciliationError: the broker or S3 cannot be read.
        NoSuchTableError, UnknownProgressError: a table cannot be read.
        AwsError: AWS does not return the brokers or the credentials of the cluster.
    """
    try:
        broker, since = BrokerReader(connection, topic), since or {}
        try:
            # A record is never superseded by one of a lower offset, so rows of lower offsets need not be read.
            first = min((since.get(number, 0) for number in broker.partitions()), default=0)
            # The tables before the objects: what lands during the reconciliation is not expected in the tables yet.
            cleaned, quarantine = (lake.snapshot(f"{layer}/{record_type.name}") for layer in ("cleaned", "quarantine"))
            tables = TopicTables.read(record_type, cleaned, quarantine, first)
            objects = ObjectReader(store.client, store.bucket, topic)
            return reconcile_topic_records(record_type, broker, objects, tables, since)
        finally:
            broker.close()
    except (KafkaException, BotoCoreError, ClientError) as error:
        raise ReconciliationError(
            f"could not reconcile topic {topic} on the Kafka broker at {connection.address} with {lake.path('')}: "
            f"{error!r}; check that both are up (`pin-pipeline status`)"
        ) from error


def reconcile_topic_records(
    record_type: RecordType, broker: BrokerReader, objects: ObjectReader, tables: TopicTables, since: Mapping[int, int]
) -> TopicFindings:
    """Follow the records of a topic to where they are now.

    Args:
        record_type: type of the records.
        broker: the topic. Records that it has deleted are followed from S3 on.
        objects: the landed objects.
        tables: the published and the quarantined records.
        since: offset to begin with, by partition; 0 if missing. An object must begin there.
    """
    reconciler = TopicReconciler(record_type, tables, since)
    for number in sorted({*broker.partitions(), *(since or objects.partitions())}):
        if number in since and broker.end(number) <= since[number]:  # no new records
            reconciler.findings.partitions[number] = PartitionCounts(next_offset=since[number])
        else:
            reconciler.follow_partition(number, broker, objects)
    reconciler.find_unexpected_rows()
    return reconciler.findings
