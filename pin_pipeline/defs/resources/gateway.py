"""The HTTP front door that clients post to."""

import dagster as dg
from pydantic import Field


class GatewayResource(dg.ConfigurableResource["GatewayResource"]):
    """The HTTP gateway in front of Kafka."""

    url: str = Field(description="Base URL of the gateway.")
