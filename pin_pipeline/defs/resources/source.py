"""The source database: RDS MySQL on AWS, an SQLite file on a laptop."""

import dagster as dg
from pydantic import Field

from pin_pipeline.aws.secrets import login
from pin_pipeline.emulator.source import SourceDatabase, with_login


class SourceResource(dg.ConfigurableResource["SourceResource"]):
    """The database that the emulator draws posts from."""

    url: str = Field(description="SQLAlchemy URL, sqlite:///... or mysql+pymysql://...")
    secret: str = Field(default="", description="Name or ARN of the secret with its login, where the URL has none.")
    region: str = Field(default="", description="AWS region of the secret.")

    def database(self) -> SourceDatabase:
        """The database, connected when it is first used."""
        return SourceDatabase(with_login(self.url, login(self.secret, self.region)) if self.secret else self.url)
