"""What brings the topics to S3: this process on a laptop, MSK Connect on AWS."""

from abc import ABC, abstractmethod

import dagster as dg

from pin_pipeline.landing.landing import Landed, land
from pin_pipeline.landing.store import ObjectStore
from pin_pipeline.resources.kafka import KafkaResource


class LandingResource(dg.ConfigurableResource["LandingResource"], ABC):
    """Brings a topic to S3 as write-once objects, up to its end of now."""

    kafka: dg.ResourceDependency[KafkaResource]

    @abstractmethod
    def land(self, kind: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> Landed:
        """Return when all that is on a kind's topic now is on S3; options as `landing.land` has them."""


class OwnLandingResource(LandingResource):
    """Landing by the process of the run, which reads the topic and writes the objects itself."""

    def land(self, kind: str, store: ObjectStore, *, fail_on_data_loss: bool, fill_gaps: bool) -> Landed:
        """Land a kind's topic up to its end of now."""
        options = {"fail_on_data_loss": fail_on_data_loss, "fill_gaps": fill_gaps}
        return land(self.kafka.connection(), store, self.kafka.topic(kind), **options)
