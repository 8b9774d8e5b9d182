"""The source database: RDS MySQL on AWS, an SQLite file on a laptop."""

import dagster as dg
from pydantic import Field

from pin_pipeline.emulation.source import SourceDatabase


class SourceResource(dg.ConfigurableResource["SourceResource"]):
    """The database that the emulator draws posts from."""

    url: str = Field(description="SQLAlchemy URL, sqlite:///... or mysql+pymysql://...")

    def database(self) -> SourceDatabase:
        """The database, connected when it is first used."""
        return SourceDatabase(self.url)
