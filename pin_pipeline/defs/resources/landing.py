"""What brings the topics to S3: this process on a laptop, MSK Connect on AWS."""

from abc import ABC, abstractmethod

import dagster as dg
from pydantic import Field

from pin_pipeline.aws.msk_connect import MskConnector
from pin_pipeline.defs.resources.kafka import KafkaResource
from pin_pipeline.landing.kafka_connect import await_landed
from pin_pipeline.landing.lander import LandingResult, land_topic
from pin_pipeline.storage.object_store import ObjectStore


class LandingResource(dg.ConfigurableResource["LandingResource"], ABC):
    """Brings a topic to S3 as write-once objects, up to its end of now."""

    kafka: dg.ResourceDependency[KafkaResource]

    @abstractmethod
    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Return when all that is on a kind's topic now is on S3; options as `landing.land` has them."""

    @abstractmethod
    def restart(self) -> str:
        """Restart what lands, where that is apart from the run; returns what was done, in words."""


class InProcessLanding(LandingResource):
    """Landing by the process of the run, which reads the topic and writes the objects itself."""

    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Land a kind's topic up to its end of now."""
        options = {"fail_on_data_loss": fail_on_data_loss, "fill_gaps": fill_gaps}
        return land_topic(self.kafka.connection(), store, self.kafka.topic(record_type), **options)

    def restart(self) -> str:
        """There is nothing to restart."""
        return "the run itself lands the topics here: there is no connector"


class MskConnectLanding(LandingResource):
    """Landing by a connector of MSK Connect, whose objects a run waits for and proves."""

    connector: str = Field(description="Name of the S3 sink connector.")
    region: str = Field(description="AWS region of the connector.")
    patience_minutes: float = Field(default=15, description="How long nothing may come before it counts as stuck.")

    def land(self, record_type: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> LandingResult:
        """Wait until the connector has landed a kind's topic up to its end of now; `fill_gaps` proves all anew."""
        return await_landed(
            self.kafka.connection(),
            store,
            self.kafka.topic(record_type),
            self._connector(),
            patience_seconds=self.patience_minutes * 60,
            fail_on_data_loss=fail_on_data_loss,
            from_the_beginning=fill_gaps,
        )

    def restart(self) -> str:
        """Delete the connector and create it as it was; it goes on where it was."""
        self._connector().restart()
        return f"connector {self.connector} was deleted and created again"

    def _connector(self) -> MskConnector:
        return MskConnector(self.connector, self.region)
