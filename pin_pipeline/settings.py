"""Where the parts of the pipeline are. Everything else reads what is settled here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pin_pipeline.kafka.connection import KafkaConnection, Security

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
    "PIN_KAFKA_SECURITY": "plaintext",
}
# No address: what is not set is missed when it is needed, and services without an address are AWS's own.
AWS_DEFAULTS = {"PIN_PREFIX": "pinterest", "PIN_SHARE_ONE_STREAM": "0", "PIN_KAFKA_SECURITY": "iam"}

Choice = TypeVar("Choice", bound=StrEnum)


class SettingError(Exception):
    """A variable has a value that means nothing; says which ones do."""


class Environment(StrEnum):
    """Which resources stand behind the assets."""

    LOCAL = "local"
    AWS = "aws"


@dataclass(frozen=True)
class Settings:
    """Where the parts of the pipeline are. Credentials are not here: clients take them from the environment.

    Attributes:
        s3_endpoint_url: where S3 is; None for AWS's own, like that of Kinesis.
        share_one_stream: whether all kinds come by `one_stream` instead of a Kinesis stream each.
        checkpoints: the folder of the streaming queries' checkpoints, as a URL that Spark writes to.
        catalog: the catalog of Unity Catalog in which the tables have names, if any.
    """

    home: Path
    environment: Environment
    prefix: str
    bucket: str
    region: str
    source_url: str = field(repr=False)  # may hold a password
    source_secret: str
    gateway_url: str
    dashboard_url: str
    kafka: KafkaConnection
    s3_endpoint_url: str | None
    kinesis_endpoint_url: str | None
    postgres_url: str = field(repr=False)  # may hold a password
    share_one_stream: bool
    checkpoints: str
    manage_streams: bool
    catalog: str | None = None

    def topic(self, record_type: str) -> str:
        """The Kafka topic of a record kind."""
        return topic_of(self.prefix, record_type)

    def stream(self, record_type: str) -> str:
        """The Kinesis stream of a record kind."""
        return stream_of(self.prefix, record_type)

    @property
    def one_stream(self) -> str:
        """The Kinesis stream that all kinds may share; a record's partition key tells its kind."""
        return f"streaming-{self.prefix}"


def topic_of(prefix: str, record_type: str) -> str:
    """The Kafka topic of a record kind."""
    return f"{prefix}.{record_type}"


def stream_of(prefix: str, record_type: str) -> str:
    """The Kinesis stream of a record kind."""
    return f"streaming-{prefix}-{record_type}"


def home() -> Path:
    """The one folder that holds all local state: `PIN_HOME`, else `.pin_pipeline` in the working directory."""
    return Path(os.environ.get("PIN_HOME", ".pin_pipeline")).absolute()


def state_file() -> Path:
    """Where `pin-pipeline up` leaves the `KEY=VALUE` lines by which its servers are reached."""
    return home() / "servers.env"


def load() -> Settings:
    """Settle the environment, `PIN_ENVIRONMENT`: a variable that is unset in `os.environ` gets its default.

    Servers that `pin-pipeline up` had to start at other addresses are found through the state file.

    Raises:
        SettingError: a variable that names one of a few choices names none of them.
    """
    environment = _choice("PIN_ENVIRONMENT", Environment, Environment.LOCAL)
    for name, value in _defaults(environment).items():
        os.environ.setdefault(name, value)
    region = os.environ.get("AWS_REGION", "")
    if region:  # some clients read the one name, some the other
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
    return Settings(
        home=home(),
        environment=environment,
        prefix=os.environ["PIN_PREFIX"],
        bucket=os.environ.get("PIN_BUCKET", ""),
        region=region,
        source_url=os.environ.get("PIN_SOURCE_URL", ""),
        source_secret=os.environ.get("PIN_SOURCE_SECRET", ""),
        gateway_url=os.environ.get("PIN_GATEWAY_URL", ""),
        dashboard_url=os.environ.get("PIN_DASHBOARD_URL", ""),
        kafka=KafkaConnection(
            bootstrap=os.environ.get("PIN_KAFKA_BOOTSTRAP", ""),
            cluster_arn=os.environ.get("PIN_MSK_CLUSTER_ARN", ""),
            security=_choice("PIN_KAFKA_SECURITY", Security, Security.PLAINTEXT),
            secret=os.environ.get("PIN_KAFKA_SECRET", ""),
            region=region,
            ca_file=os.environ.get("PIN_KAFKA_CA_FILE", ""),
        ),
        s3_endpoint_url=os.environ.get("PIN_S3_ENDPOINT_URL") or None,
        kinesis_endpoint_url=os.environ.get("PIN_KINESIS_ENDPOINT_URL") or None,
        postgres_url=os.environ.get("PIN_POSTGRES_URL", ""),
        share_one_stream=os.environ["PIN_SHARE_ONE_STREAM"] == "1",
        checkpoints=os.environ["PIN_CHECKPOINTS"],
        manage_streams=os.environ.get("PIN_GATEWAY_MANAGE_STREAMS") == "1",
        catalog=os.environ.get("PIN_CATALOG"),
    )


def _defaults(environment: Environment) -> dict[str, str]:
    if environment is Environment.AWS:
        return AWS_DEFAULTS | {"PIN_CHECKPOINTS": f"s3a://{os.environ.get('PIN_BUCKET', '')}/checkpoints"}
    in_home = {
        "PIN_SOURCE_URL": f"sqlite:///{home() / 'source.db'}",
        "PIN_CHECKPOINTS": (home() / "checkpoints").as_uri(),
    }
    return DEFAULTS | in_home | read_state()


def _choice(name: str, choices: type[Choice], default: Choice) -> Choice:
    value = os.environ.get(name) or default
    try:
        return choices(value)
    except ValueError:
        raise SettingError(f"{name} is {value!r}; expected {' or '.join(choices)}") from None


def read_state() -> dict[str, str]:
    """The lines of the state file, empty before the first `pin-pipeline up`."""
    if not state_file().exists():
        return {}
    lines = state_file().read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
