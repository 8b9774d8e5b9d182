"""The Kafka cluster: MSK on AWS, one broker on a laptop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import dagster as dg
from pydantic import Field

from pin_pipeline.kafka.connection import KafkaConnection, Security
from pin_pipeline.kafka.topics import create_topics, topics
from pin_pipeline.reconciliation.findings import TopicFindings
from pin_pipeline.reconciliation.topic import reconcile_topic
from pin_pipeline.records import RecordType
from pin_pipeline.settings import topic_of
from pin_pipeline.storage.lake import Lake
from pin_pipeline.storage.object_store import ObjectStore


class KafkaResource(dg.ConfigurableResource["KafkaResource"], ABC):
    """The Kafka cluster that holds the topics; its connection is what any client of Kafka is made of."""

    prefix: str = Field(description="What the topics' names begin with: {prefix}.pin, {prefix}.geo, {prefix}.user.")

    @abstractmethod
    def connection(self) -> KafkaConnection:
        """How the cluster is reached."""

    def topic(self, record_type: str) -> str:
        """The topic of a record kind."""
        return topic_of(self.prefix, record_type)

    def topics(self) -> list[str]:
        """The names of all topics."""
        return topics(self.connection())

    def create_topics(self, record_types: Sequence[str]) -> list[str]:
        """Create the topics of record kinds where they are not there yet; returns which."""
        return create_topics(self.connection(), map(self.topic, record_types))

    def audit(self, record_type: RecordType, lake: Lake, store: ObjectStore, since: Mapping[int, int]) -> TopicFindings:
        """Follow a kind's records from the topic into the tables, from an offset on by partition."""
        return reconcile_topic(record_type, self.topic(record_type.name), self.connection(), lake, store, since)


class PlaintextKafka(KafkaResource):
    """One Kafka broker, reached in plain text."""

    bootstrap_servers: str = Field(description="Brokers to ask first, host:port, separated by commas.")

    def connection(self) -> KafkaConnection:
        """How the broker is reached."""
        return KafkaConnection(self.bootstrap_servers)


class MskKafka(KafkaResource):
    """An MSK cluster: its brokers are found by its ARN, clients sign in as their IAM role, or by SCRAM."""

    cluster_arn: str = Field(description="ARN of the cluster, of which AWS is asked for the brokers.")
    region: str = Field(description="AWS region of the cluster.")
    security: Security = Field(default=Security.IAM, description="How clients sign in: iam or scram, both over TLS.")
    secret: str = Field(default="", description="Name or ARN of the secret with the login, for scram alone.")
    ca_file: str = Field(default="", description="Certificates (PEM) of the brokers' authority where it is not public.")

    def connection(self) -> KafkaConnection:
        """How the cluster is reached."""
        return KafkaConnection("", self.cluster_arn, self.security, self.secret, self.region, self.ca_file)
