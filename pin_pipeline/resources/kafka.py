"""The Kafka cluster: MSK on AWS, one broker on a laptop."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from pin_pipeline.audit.auditor import audit_topic
from pin_pipeline.audit.findings import TopicFindings
from pin_pipeline.lakehouse.lake import Lake
from pin_pipeline.landing.landing import Landed, land
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.records import RecordKind


class KafkaResource(dg.ConfigurableResource["KafkaResource"]):
    """The Kafka cluster (MSK) that holds the topics."""

    bootstrap_servers: str = Field(description="Brokers to ask first, host:port, separated by commas.")
    prefix: str = Field(description="What the topics' names begin with: {prefix}.pin, {prefix}.geo, {prefix}.user.")

    def topic(self, kind: str) -> str:
        """The topic of a record kind."""
        return f"{self.prefix}.{kind}"

    def audit(self, kind: RecordKind, lake: Lake, store: ObjectStore, since: Mapping[int, int]) -> TopicFindings:
        """Follow a kind's records from the topic into the tables, from an offset on by partition."""
        return audit_topic(kind, self.topic(kind.name), self.bootstrap_servers, lake, store, since)

    def land(self, kind: str, store: ObjectStore, **options: bool) -> Landed:
        """Land a kind's topic up to its end of now; options as `landing.land` has them."""
        return land(self.bootstrap_servers, store, self.topic(kind), **options)
