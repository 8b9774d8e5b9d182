"""Where the parts of the pipeline are. Everything else reads what is settled here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

DEFAULTS = {
    "PIN_GATEWAY_URL": "http://127.0.0.1:8082",
    "PIN_DASHBOARD_URL": "http://127.0.0.1:8083",
    "PIN_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "PIN_S3_ENDPOINT_URL": "http://127.0.0.1:4566",
    "PIN_KINESIS_ENDPOINT_URL": "http://127.0.0.1:4567",
    "PIN_POSTGRES_URL": "postgresql://pin@127.0.0.1:5432/pinterest_streaming",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "PIN_PREFIX": "pinterest",
    "PIN_BUCKET": "pin-pipeline",
    "PIN_SHARE_ONE_STREAM": "0",
}


@dataclass(frozen=True)
class Settings:
    """Where the parts of the pipeline are. Credentials are not here: clients take them from the environment.

    Attributes:
        share_one_stream: whether all kinds come by `one_stream` instead of a Kinesis stream each.
        checkpoints: the folder of the streaming queries' checkpoints, as a URL that Spark writes to.
        catalog: the catalog of Unity Catalog in which the tables have names, if any.
    """

    home: Path
    prefix: str
    bucket: str
    region: str
    source_url: str
    gateway_url: str
    dashboard_url: str
    kafka_bootstrap: str
    s3_endpoint_url: str
    kinesis_endpoint_url: str
    postgres_url: str = field(repr=False)  # may hold a password
    share_one_stream: bool
    checkpoints: str
    manage_streams: bool
    catalog: str | None = None

    def topic(self, kind: str) -> str:
        """The Kafka topic of a record kind."""
        return f"{self.prefix}.{kind}"

    def stream(self, kind: str) -> str:
        """The Kinesis stream of a record kind."""
        return f"streaming-{self.prefix}-{kind}"

    @property
    def one_stream(self) -> str:
        """The Kinesis stream that all kinds may share; a record's partition key tells its kind."""
        return f"streaming-{self.prefix}"


def home() -> Path:
    """The one folder that holds all local state: `PIN_HOME`, else `.pin_pipeline` in the working directory."""
    return Path(os.environ.get("PIN_HOME", ".pin_pipeline")).absolute()


def state_file() -> Path:
    """Where `pin-pipeline up` leaves the `KEY=VALUE` lines by which its servers are reached."""
    return home() / "servers.env"


def load() -> Settings:
    """Settle the environment: a variable that is unset in `os.environ` gets its local default.

    Servers that `pin-pipeline up` had to start at other addresses are found through the state file.
    """
    in_home = {
        "PIN_SOURCE_URL": f"sqlite:///{home() / 'source.db'}",
        "PIN_CHECKPOINTS": (home() / "checkpoints").as_uri(),
    }
    for name, value in (DEFAULTS | in_home | read_state()).items():
        os.environ.setdefault(name, value)
    return Settings(
        home=home(),
        prefix=os.environ["PIN_PREFIX"],
        bucket=os.environ["PIN_BUCKET"],
        region=os.environ["AWS_REGION"],
        source_url=os.environ["PIN_SOURCE_URL"],
        gateway_url=os.environ["PIN_GATEWAY_URL"],
        dashboard_url=os.environ["PIN_DASHBOARD_URL"],
        kafka_bootstrap=os.environ["PIN_KAFKA_BOOTSTRAP"],
        s3_endpoint_url=os.environ["PIN_S3_ENDPOINT_URL"],
        kinesis_endpoint_url=os.environ["PIN_KINESIS_ENDPOINT_URL"],
        postgres_url=os.environ["PIN_POSTGRES_URL"],
        share_one_stream=os.environ["PIN_SHARE_ONE_STREAM"] == "1",
        checkpoints=os.environ["PIN_CHECKPOINTS"],
        manage_streams=os.environ.get("PIN_GATEWAY_MANAGE_STREAMS") == "1",
        catalog=os.environ.get("PIN_CATALOG"),
    )


def read_state() -> dict[str, str]:
    """The lines of the state file, empty before the first `pin-pipeline up`."""
    if not state_file().exists():
        return {}
    lines = state_file().read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
