"""Settings: every environment variable that the pipeline reads, typed, validated and described.

This is the only module that reads the process environment. `docs/reference/configuration.md` is generated from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote
from urllib.request import getproxies

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from pin_pipeline.aws.clients import LOCAL_REGION, LOOPBACK
from pin_pipeline.aws.kinesis import stream_name
from pin_pipeline.errors import PipelineError
from pin_pipeline.kafka.connection import KafkaConnection, Security
from pin_pipeline.kafka.topics import topic_name

LOCAL_ADDRESSES = {
    "PIN_GATEWAY_URL": "http://127.0.0.1:8082",
    "PIN_DASHBOARD_URL": "http://127.0.0.1:8083",
    "PIN_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "PIN_S3_ENDPOINT_URL": "http://127.0.0.1:4566",
    "PIN_KINESIS_ENDPOINT_URL": "http://127.0.0.1:4567",
    "PIN_POSTGRES_URL": "postgresql://pin@127.0.0.1:5432/pinterest_streaming",
}
"""Preferred addresses of the local servers; `pin-pipeline up` records the ones it uses in the state file."""


class SettingError(PipelineError):
    """Raised when an environment variable is missing or has an invalid value."""


class Environment(StrEnum):
    """Environment that provides the services."""

    LOCAL = "local"
    AWS = "aws"


def _flag(value: object) -> object:
    if str(value) not in ("1", "0", "True", "False"):
        raise ValueError("expected 1 or 0")
    return str(value) in ("1", "True")


def _absolute_path(value: object) -> object:
    return Path(str(value)).absolute()


def _port(value: object) -> object:
    if value is not None and not (str(value).isdecimal() and 0 < int(str(value)) < 2**16):
        raise ValueError("expected a port number from 1 to 65535")
    return value


def _names(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def setting(variable: str, description: str, default: Any = "", *, secret: bool = False) -> Any:  # noqa: ANN401 - like pydantic's Field
    """Declare a field that is read from an environment variable; a secret is left out of the settings' repr."""
    checked = default is not ...
    return Field(default, validation_alias=variable, description=description, validate_default=checked, repr=not secret)


BatchEngineName = Literal["auto", "embedded", "spark"]
Flag = Annotated[bool, BeforeValidator(_flag)]
AbsolutePath = Annotated[Path, BeforeValidator(_absolute_path)]
Port = Annotated[int | None, BeforeValidator(_port)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class _VariableSettings(BaseSettings):
    """Base class: values come from the process environment, and each field names its variable as its alias."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingError: a variable has an invalid value; the message names the first one and what was expected.
        """
        _bypass_proxies()
        try:
            return cls()
        except ValidationError as error:
            raise SettingError(_message(error)) from None

    def variables(self) -> dict[str, str]:
        """Return the settings that have a value as environment variables, for a child process."""
        fields = type(self).model_fields
        values = {str(field.validation_alias): getattr(self, name) for name, field in fields.items()}
        return {name: _text(value) for name, value in values.items() if value not in (None, "", ())}

    def required(self, field: str) -> str:
        """Return a setting that must have a value.

        Raises:
            SettingError: it has none.
        """
        if value := getattr(self, field):
            return str(value)
        info = type(self).model_fields[field]
        raise SettingError(f"{info.validation_alias} is not set: expected a value ({info.description})")


class LocalSettings(_VariableSettings):
    """Settings of the local environment: folders, ports and Java."""

    home: AbsolutePath = setting("PIN_HOME", "Folder of all local state.", Path(".pin_pipeline"))
    jars: Path | None = setting("PIN_JARS", "Jar cache; default ~/.cache/pin-pipeline/jars.", None)
    cache_home: Path | None = setting("XDG_CACHE_HOME", "Parent of the default jar cache, instead of ~/.cache.", None)
    java_home: Path | None = setting("JAVA_HOME", "Java runtime 17 or newer, if not the one on PATH.", None)
    kafka_port: Port = setting("PIN_KAFKA_PORT", "Port of the Kafka broker.", None)
    s3_port: Port = setting("PIN_S3_PORT", "Port of the S3 endpoint.", None)
    kinesis_port: Port = setting("PIN_KINESIS_PORT", "Port of the Kinesis endpoint.", None)
    postgres_port: Port = setting("PIN_POSTGRES_PORT", "Port of Postgres.", None)
    gateway_port: Port = setting("PIN_GATEWAY_PORT", "Port of the gateway.", None)
    dashboard_port: Port = setting("PIN_DASHBOARD_PORT", "Port of the dashboard.", None)
    ui_port: Port = setting("PIN_UI_PORT", "Port of the Dagster UI.", None)

    @property
    def state_file(self) -> Path:
        """File in which `pin-pipeline up` records the addresses of its servers, as `KEY=VALUE` lines."""
        return self.home / "servers.env"

    def addresses(self) -> dict[str, str]:
        """Return the recorded addresses by variable; empty before the first `pin-pipeline up`."""
        text = self.state_file.read_text() if self.state_file.exists() else ""
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


class EmulatedKinesisSettings(_VariableSettings):
    """Settings of the local Kinesis endpoint; tests lower the limits."""

    file: Path = setting("PIN_KINESIS_FILE", "SQLite file that holds the streams.", ...)
    region: str = setting("AWS_REGION", "Region in the ARNs of the streams.", "us-east-1")
    iterator_seconds: float = setting("PIN_KINESIS_ITERATOR_SECONDS", "Lifetime of a shard iterator.", 300)
    retention_seconds: float | None = setting("PIN_KINESIS_RETENTION_SECONDS", "Lifetime of a record.", None)
    reads_per_second: int = setting("PIN_KINESIS_READS_PER_SECOND", "GetRecords calls per shard; 0 for no limit.", 0)


class DatabricksSettings(_VariableSettings):
    """Settings of the Databricks workspace and its clusters."""

    host: str = setting("DATABRICKS_HOST", "URL of the workspace.")
    token: str = setting("DATABRICKS_TOKEN", "Personal access token.", secret=True)
    client_id: str = setting("DATABRICKS_CLIENT_ID", "Service principal, instead of a token.")
    client_secret: str = setting("DATABRICKS_CLIENT_SECRET", "Secret of the service principal.", secret=True)
    wheel: str = setting("PIN_DATABRICKS_WHEEL", "Wheel to install on clusters, s3://... or /Volumes/...")
    instance_profile: str = setting("PIN_DATABRICKS_INSTANCE_PROFILE", "ARN of the instance profile of the clusters.")
    runtime: str = setting("PIN_DATABRICKS_RUNTIME", "Databricks Runtime, with Spark 4.1 or newer.", "18.2.x-scala2.13")
    node_type: str = setting("PIN_DATABRICKS_NODE_TYPE", "EC2 type of the nodes.", "m6gd.large")
    secret_scope: str = setting("PIN_DATABRICKS_SECRET_SCOPE", "Secret scope with `postgres-url`.", "pin-pipeline")
    pipes_bucket: str = setting("PIN_PIPES_BUCKET", "Bucket for Dagster Pipes messages; a lifecycle rule empties it.")


class _EnvironmentDefaults(PydanticBaseSettingsSource):
    """Defaults that depend on PIN_ENVIRONMENT; recorded addresses of local servers take precedence over them."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ANN401, ARG002
        """Return nothing: `__call__` returns all values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the defaults by variable."""
        if os.environ.get("PIN_ENVIRONMENT") == Environment.AWS:
            return aws_defaults(os.environ.get("PIN_BUCKET", ""))
        return local_defaults(str(LocalSettings().home)) | LocalSettings().addresses()


def aws_defaults(bucket: str) -> dict[str, str]:
    """Return the defaults on AWS by variable; services without an endpoint are those of AWS."""
    return {"PIN_KAFKA_SECURITY": Security.IAM, "PIN_CHECKPOINTS": f"s3a://{bucket}/checkpoints"}


def local_defaults(home: str) -> dict[str, str]:
    """Return the defaults of the local environment by variable."""
    return {
        **LOCAL_ADDRESSES,
        "AWS_REGION": LOCAL_REGION,
        "PIN_BUCKET": "pin-pipeline",
        "PIN_SOURCE_URL": f"sqlite:///{quote(home)}/source.db",
        "PIN_CHECKPOINTS": f"file://{home}/checkpoints",  # Hadoop does not decode percent-encoding
    }


class Settings(LocalSettings):
    """Settings of the pipeline. AWS credentials are not among them: clients find those themselves."""

    environment: Environment = setting("PIN_ENVIRONMENT", "Services to use: local or aws.", Environment.LOCAL)
    batch_engine: BatchEngineName = setting("PIN_BATCH_ENGINE", "Engine of batch steps: auto, embedded, spark.", "auto")
    max_embedded_bytes: int = setting("PIN_MAX_EMBEDDED_BYTES", "If auto, larger steps run on Spark.", 128 * 2**20)
    prefix: str = setting("PIN_PREFIX", "Prefix of topics and Kinesis streams.", "pinterest")
    bucket: str = setting("PIN_BUCKET", "Bucket of the landed objects and the Delta tables.")
    region: str = setting("AWS_REGION", "AWS region of all services.")
    catalog: str | None = setting("PIN_CATALOG", "Unity Catalog catalog that tables are registered in.", None)
    source_url: str = setting("PIN_SOURCE_URL", "SQLAlchemy URL of the source database.", secret=True)
    source_secret: str = setting("PIN_SOURCE_SECRET", "Secret with the source database's login.")
    postgres_url: str = setting("PIN_POSTGRES_URL", "URL of the database of the real-time tables.", secret=True)
    gateway_url: str = setting("PIN_GATEWAY_URL", "Base URL of the gateway.")
    gateway_api_keys: Names = setting("PIN_GATEWAY_API_KEYS", "Gateway API keys, comma-separated.", (), secret=True)
    gateway_cors_origins: Names = setting("PIN_GATEWAY_CORS_ORIGINS", "Origins of pages that may call the gateway.", ())
    manage_streams: Flag = setting("PIN_GATEWAY_MANAGE_STREAMS", "Let the gateway create streams: 1 or 0.", False)
    dashboard_url: str = setting("PIN_DASHBOARD_URL", "URL of the real-time dashboard.")
    kafka_bootstrap: str = setting("PIN_KAFKA_BOOTSTRAP", "Kafka brokers, host:port, separated by commas.")
    kafka_security: Security = setting("PIN_KAFKA_SECURITY", "Login: plaintext, scram, iam.", Security.PLAINTEXT)
    kafka_secret: str = setting("PIN_KAFKA_SECRET", "Name or ARN of the secret with the SCRAM login.")
    kafka_ca_file: str = setting("PIN_KAFKA_CA_FILE", "PEM file of the brokers' private CA.")
    msk_cluster_arn: str = setting("PIN_MSK_CLUSTER_ARN", "ARN of the MSK cluster, to look its brokers up.")
    msk_connector: str = setting("PIN_MSK_CONNECTOR", "Name of the S3 sink connector.")
    s3_endpoint_url: str | None = setting("PIN_S3_ENDPOINT_URL", "Endpoint of S3, if not AWS's.", None)
    kinesis_endpoint_url: str | None = setting("PIN_KINESIS_ENDPOINT_URL", "Endpoint of Kinesis, if not AWS's.", None)
    share_one_stream: Flag = setting("PIN_SHARE_ONE_STREAM", "Share one stream for all record types: 1 or 0.", False)
    checkpoints: str = setting("PIN_CHECKPOINTS", "Spark URL of the checkpoint folder.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read variables first, then the defaults of the environment."""
        return init_settings, env_settings, _EnvironmentDefaults(settings_cls)

    @property
    def kafka(self) -> KafkaConnection:
        """Connection settings of the Kafka cluster."""
        login = self.kafka_security, self.kafka_secret, self.region, self.kafka_ca_file
        return KafkaConnection(self.kafka_bootstrap, self.msk_cluster_arn, *login, on_databricks())

    @property
    def one_stream(self) -> str:
        """Kinesis stream that all record types may share; the partition key names the type of a record."""
        return f"streaming-{self.prefix}"

    def topic(self, record_type: str) -> str:
        """Return the Kafka topic of a record type."""
        return topic_name(self.prefix, record_type)

    def stream(self, record_type: str) -> str:
        """Return the Kinesis stream of a record type."""
        return stream_name(self.prefix, record_type)

    def updated(self, variables: Mapping[str, str]) -> Self:
        """Return the settings with these variables in place of what was loaded."""
        fields = {info.validation_alias: name for name, info in type(self).model_fields.items()}
        return self.model_copy(update={fields[variable]: value for variable, value in variables.items()})


def on_databricks() -> bool:
    """Return whether this process runs on a Databricks cluster."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def set_variables(names: Iterable[str]) -> dict[str, str]:
    """Return those of these variables that are set in the process environment and not empty."""
    return {name: value for name in names if (value := os.environ.get(name))}


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the process environment with these variables replaced, for a child process."""
    return {**os.environ, **variables}


def _bypass_proxies() -> None:
    """Let no client of this process, or of its child processes, call a server of this machine through a proxy."""
    for variable in ("NO_PROXY", "no_proxy") if getproxies() else ():
        os.environ[variable] = ",".join({*filter(None, os.environ.get(variable, "").split(",")), *LOOPBACK})


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(int(value) if isinstance(value, bool) else value)


def _message(error: ValidationError) -> str:
    """Return one sentence about the first invalid variable; secrets are not repeated."""
    first = error.errors(include_url=False)[0]
    variable = str(first["loc"][0])
    if first["type"] == "missing":
        return f"{variable} is not set: expected a value"
    expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ").partition(", unable")[0]
    value = os.environ.get(variable, "")
    return f"invalid {variable} {value!r}: expected {expected.removeprefix('expected ')}"
