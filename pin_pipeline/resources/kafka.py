"""The Kafka cluster: MSK on AWS, one broker on a laptop."""

import dagster as dg
from pydantic import Field

from pin_pipeline.landing.landing import Landed, land
from pin_pipeline.landing.store import ObjectStore


class KafkaResource(dg.ConfigurableResource["KafkaResource"]):
    """The Kafka cluster (MSK) that holds the topics."""

    bootstrap_servers: str = Field(description="Brokers to ask first, host:port, separated by commas.")
    prefix: str = Field(description="What the topics' names begin with: {prefix}.pin, {prefix}.geo, {prefix}.user.")

    def topic(self, kind: str) -> str:
        """The topic of a record kind."""
        return f"{self.prefix}.{kind}"

    def land(self, kind: str, store: ObjectStore, *, fail_on_data_loss: bool) -> Landed:
        """Land a kind's topic up to its end of now."""
        return land(self.bootstrap_servers, store, self.topic(kind), fail_on_data_loss=fail_on_data_loss)
