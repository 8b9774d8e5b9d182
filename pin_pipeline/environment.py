"""Which environment this process talks to: the local servers, or AWS. Everything else reads what is settled here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

Environment = Literal["local", "aws"]

LOCAL_DEFAULTS = {
    "PIN_GATEWAY_URL": "http://127.0.0.1:8082",
    "PIN_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "PIN_S3_ENDPOINT_URL": "http://127.0.0.1:4566",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
SHARED_DEFAULTS = {"PIN_PREFIX": "pinterest", "PIN_BUCKET": "pin-pipeline", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Settings:
    """Where the parts of the pipeline are. Credentials are not here: clients take them from the environment."""

    environment: Environment
    home: Path
    prefix: str
    bucket: str
    region: str
    source_url: str
    gateway_url: str
    kafka_bootstrap: str
    s3_endpoint_url: str

    def topic(self, kind: str) -> str:
        """The Kafka topic of a record kind."""
        return f"{self.prefix}.{kind}"


def home() -> Path:
    """The one folder that holds all local state: `PIN_HOME`, else `.pin_pipeline` in the working directory."""
    return Path(os.environ.get("PIN_HOME", ".pin_pipeline")).absolute()


def state_file() -> Path:
    """Where `pin-pipeline up` leaves the `KEY=VALUE` lines by which its servers are reached."""
    return home() / "servers.env"


def load() -> Settings:
    """Settle the environment: what is unset in `os.environ` gets the value of the chosen environment.

    Raises:
        ValueError: `PIN_ENVIRONMENT` is neither `local` nor `aws`, or a variable that `aws` needs is missing.
    """
    environment = os.environ.get("PIN_ENVIRONMENT", "local")
    if environment not in get_args(Environment):
        raise ValueError(f"PIN_ENVIRONMENT is {environment!r}; expected 'local' or 'aws'")
    defaults = dict(SHARED_DEFAULTS)
    if environment == "local":
        defaults |= LOCAL_DEFAULTS | {"PIN_SOURCE_URL": f"sqlite:///{home() / 'source.db'}"} | read_state()
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    return Settings(
        environment=cast("Environment", environment),
        home=home(),
        prefix=_variable("PIN_PREFIX"),
        bucket=_variable("PIN_BUCKET"),
        region=_variable("AWS_REGION"),
        source_url=_variable("PIN_SOURCE_URL"),
        gateway_url=_variable("PIN_GATEWAY_URL"),
        kafka_bootstrap=_variable("PIN_KAFKA_BOOTSTRAP"),
        s3_endpoint_url=os.environ.get("PIN_S3_ENDPOINT_URL", f"https://s3.{_variable('AWS_REGION')}.amazonaws.com"),
    )


def read_state() -> dict[str, str]:
    """The lines of the state file, empty before the first `pin-pipeline up`."""
    if not state_file().exists():
        return {}
    lines = state_file().read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ValueError(f"environment variable {name} is not set; PIN_ENVIRONMENT=aws needs it") from None
