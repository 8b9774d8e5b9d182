"""Dagster resources: interfaces, and their local, AWS and Databricks backends."""

from typing import Any

import dagster as dg

from pin_pipeline.settings import Environment, Settings


def create_resources(settings: Settings) -> dict[str, dg.ConfigurableResource[Any]]:
    """Create the resources of the environment and import only its backend.

    On AWS, the local servers and the classic Spark session are not needed; locally, importing the Databricks SDK would
    add one second to the start-up.
    """
    if settings.environment is Environment.LOCAL:
        from pin_pipeline.defs.resources.local import local_resources  # noqa: PLC0415

        return local_resources(settings)
    from pin_pipeline.defs.resources.aws import aws_resources  # noqa: PLC0415

    return aws_resources(settings)
