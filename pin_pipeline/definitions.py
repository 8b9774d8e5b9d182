"""The whole graph on one page."""

from typing import Any

import dagster as dg

from pin_pipeline import settings as environment
from pin_pipeline.defs.assets.cleaned import cleaned_assets
from pin_pipeline.defs.assets.external import external_assets
from pin_pipeline.defs.assets.quarantine import quarantine_asset
from pin_pipeline.defs.assets.queries import query_assets
from pin_pipeline.defs.assets.raw import raw_assets
from pin_pipeline.defs.assets.serving import serving
from pin_pipeline.defs.assets.streams import stream_assets
from pin_pipeline.defs.checks.data_quality import quality
from pin_pipeline.defs.checks.reconciliation import audited, streams_audited
from pin_pipeline.defs.checks.stream_health import supervised
from pin_pipeline.defs.jobs import (
    create_topics_and_streams,
    daily_batch,
    emulation,
    rebuild,
    replay_quarantine,
    restart_connector,
    start_streams,
    stop_streams,
)
from pin_pipeline.defs.resources.local import local_resources
from pin_pipeline.defs.schedules import daily_batch_schedule
from pin_pipeline.defs.sensors import stream_supervisor
from pin_pipeline.settings import Environment

settings = environment.load()


def _resources() -> dict[str, dg.ConfigurableResource[Any]]:
    if settings.environment is Environment.LOCAL:
        return local_resources(settings)
    from pin_pipeline.defs.resources.aws import aws_resources  # noqa: PLC0415 - Databricks' SDK takes a second to import

    return aws_resources(settings)


defs = dg.Definitions(
    assets=[
        *external_assets(settings),
        *raw_assets(settings),
        cleaned_assets(settings),
        quarantine_asset(settings),
        query_assets(settings),
        *stream_assets(settings),
        serving,
    ],
    asset_checks=[quality, audited, streams_audited, supervised],
    jobs=[
        emulation,
        daily_batch,
        replay_quarantine,
        rebuild,
        start_streams,
        stop_streams,
        create_topics_and_streams,
        restart_connector,
    ],
    schedules=[daily_batch_schedule],
    sensors=[stream_supervisor],
    resources=_resources(),
    # The steps of a run share one Spark session.
    executor=dg.in_process_executor,
)
