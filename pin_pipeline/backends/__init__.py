"""Backends that depend on PIN_ENVIRONMENT, created from the settings: one factory for the command line and for checks.

The modules of a backend are imported when it is chosen: the Databricks SDK takes a second to import, and nothing on AWS
imports the local environment.
"""

from __future__ import annotations

from pin_pipeline.landing.lander import LandingResult, land_topic
from pin_pipeline.settings import DatabricksSettings, Environment, Settings
from pin_pipeline.storage.object_store import ObjectStore
from pin_pipeline.streaming.supervision.backend import StreamingJobs


def land(settings: Settings, topic: str, *, fill_gaps: bool = False) -> LandingResult:
    """Land a topic up to its current end offsets: in this process, or by waiting for the connector of MSK Connect.

    Args:
        settings: where the topic and the bucket are.
        topic: name of the topic.
        fill_gaps: read all landed objects, and land missing records again if the topic still has them.
    """
    store = ObjectStore.of(settings)
    if settings.environment is Environment.LOCAL:
        return land_topic(settings.kafka, store, topic, fill_gaps=fill_gaps)
    from pin_pipeline.aws.msk_connect import MskConnector  # noqa: PLC0415 - see the module docstring
    from pin_pipeline.landing.kafka_connect import wait_until_landed  # noqa: PLC0415 - see the module docstring

    connector = MskConnector(settings.required("msk_connector"), settings.region)
    return wait_until_landed(settings.kafka, store, topic, connector, verify_all=fill_gaps)


def streaming_jobs(settings: Settings) -> StreamingJobs:
    """Return what runs the streaming jobs: processes on this machine, or continuous jobs on Databricks."""
    if settings.environment is Environment.LOCAL:
        from pin_pipeline.local.streaming_jobs import LocalStreamingJobs  # noqa: PLC0415 - see the module docstring

        return LocalStreamingJobs(settings.home)
    from pin_pipeline.databricks.streaming_jobs import DatabricksStreamingJobs  # noqa: PLC0415 - see the module docstring

    return DatabricksStreamingJobs.of(settings, DatabricksSettings.load())
