"""The database of the real-time tables."""

import dagster as dg
from pydantic import Field

from pin_pipeline.storage.postgres import Postgres


class PostgresResource(dg.ConfigurableResource["PostgresResource"]):
    """Postgres here, RDS on AWS."""

    url: str = Field(description="URL of the database, postgresql://user:password@host:port/pinterest_streaming.")

    def database(self) -> Postgres:
        """The database; connections are made late."""
        return Postgres(self.url)
