"""Settings: defaults, validation, and the rule that no other module reads the process environment."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import dagster as dg
import pytest

from pin_pipeline.defs.resources.aws import aws_resources
from pin_pipeline.defs.resources.local import local_resources
from pin_pipeline.kafka.connection import Security
from pin_pipeline.settings import (
    LOCAL_ADDRESSES,
    DatabricksSettings,
    EmulatedKinesisSettings,
    Environment,
    LocalSettings,
    SettingError,
    Settings,
)
from tools.configuration_page import render

ROOT = Path(__file__).parents[1]
WRITES_ENVIRONMENT = {
    "pin_pipeline/spark/session.py": "PySpark reads SPARK_HOME and PYSPARK_PYTHON from the process environment alone"
}


@pytest.fixture(autouse=True)
def no_variables(clean_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Remove all variables of the pipeline, and use a home without recorded addresses."""
    for name in [name for name in os.environ if name.startswith(("PIN_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIN_HOME", str(tmp_path))


def test_settings_default_to_the_local_environment() -> None:
    settings = Settings.load()
    assert settings.environment is Environment.LOCAL
    assert settings.kafka.bootstrap == LOCAL_ADDRESSES["PIN_KAFKA_BOOTSTRAP"]
    assert (settings.bucket, settings.region) == ("pin-pipeline", "us-east-1")


def test_settings_refuse_an_unknown_environment_and_list_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "azure")
    with pytest.raises(SettingError, match=r"^invalid PIN_ENVIRONMENT 'azure': expected 'local' or 'aws'$"):
        Settings.load()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PIN_SHARE_ONE_STREAM", "yes", "1 or 0"),
        ("PIN_GATEWAY_MANAGE_STREAMS", "2", "1 or 0"),
        ("PIN_KAFKA_SECURITY", "tls", "'plaintext', 'scram' or 'iam'"),
        ("PIN_S3_PORT", "x", "a port number from 1 to 65535"),
        ("PIN_S3_PORT", "65536", "a port number from 1 to 65535"),
        ("PIN_UI_PORT", "0", "a port number from 1 to 65535"),
    ],
)
def test_settings_report_an_invalid_value_in_one_sentence(
    variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as error:
        Settings.load()
    assert str(error.value) == f"invalid {variable} {value!r}: expected {expected}"


def test_settings_report_a_missing_required_variable() -> None:
    with pytest.raises(SettingError, match=r"^PIN_KINESIS_FILE is not set: expected a value$"):
        EmulatedKinesisSettings.load()
    with pytest.raises(SettingError) as error:
        DatabricksSettings.load().required("host")
    assert str(error.value) == "DATABRICKS_HOST is not set: expected a value (URL of the workspace.)"


def test_settings_treat_an_empty_variable_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_PREFIX", "")
    monkeypatch.setenv("PIN_S3_PORT", "")
    assert (Settings.load().prefix, Settings.load().s3_port) == ("pinterest", None)


def test_settings_use_recorded_addresses_unless_a_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    LocalSettings.load().state_file.write_text("PIN_KAFKA_BOOTSTRAP=127.0.0.1:1\nPIN_GATEWAY_URL=http://127.0.0.1:2\n")
    monkeypatch.setenv("PIN_GATEWAY_URL", "http://127.0.0.1:3")
    settings = Settings.load()
    assert (settings.kafka_bootstrap, settings.gateway_url) == ("127.0.0.1:1", "http://127.0.0.1:3")


def test_settings_survive_the_way_through_a_child_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_GATEWAY_API_KEYS", "one, two,")
    monkeypatch.setenv("PIN_SHARE_ONE_STREAM", "1")
    settings = Settings.load().updated({"PIN_PREFIX": "other", "PIN_POSTGRES_URL": "postgresql://elsewhere/pins"})
    for name, value in settings.variables().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings
    assert settings.gateway_api_keys == ("one", "two")


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIN_SOURCE_URL", "PIN_POSTGRES_URL", "PIN_GATEWAY_API_KEYS", "DATABRICKS_TOKEN"):
        monkeypatch.setenv(name, "very-secret")
    assert "very-secret" not in repr(Settings.load()) + repr(DatabricksSettings.load())


def test_settings_on_aws_have_no_local_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    monkeypatch.setenv("PIN_BUCKET", "lake")
    settings = Settings.load()
    assert (settings.s3_endpoint_url, settings.kinesis_endpoint_url) == (None, None)
    assert settings.kafka.security is Security.IAM
    assert settings.checkpoints == "s3a://lake/checkpoints"
    assert "127.0.0.1" not in repr(settings)


def test_settings_leave_the_process_environment_unchanged() -> None:
    before = dict(os.environ)
    Settings.load()
    assert dict(os.environ) == before


def test_no_other_module_touches_the_process_environment() -> None:
    found = set()
    for path in (ROOT / "pin_pipeline").rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        if names & {"environ", "getenv", "putenv", "environb"}:
            found.add(str(path.relative_to(ROOT)))
    assert found == {"pin_pipeline/settings.py", *WRITES_ENVIRONMENT}


def test_configuration_page_is_up_to_date() -> None:
    assert (ROOT / "docs/reference/configuration.md").read_text() == render(), "run `make docs`"


def test_resources_are_the_same_in_both_environments_and_describe_each_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    settings = Settings.load()
    local, aws = local_resources(settings), aws_resources(settings)
    assert local.keys() == aws.keys()
    for resource in [*local.values(), *aws.values()]:
        assert type(resource).__doc__
        for name, field in type(resource).model_fields.items():
            assert field.description or isinstance(getattr(resource, name), dg.ConfigurableResource), name


@pytest.mark.parametrize(
    ("resource", "variable"),
    [
        ("source", "PIN_SOURCE_URL"),
        ("gateway", "PIN_GATEWAY_URL"),
        ("kafka", "PIN_MSK_CLUSTER_ARN"),
        ("landing", "PIN_MSK_CONNECTOR"),
        ("kinesis", "AWS_REGION"),
        ("lake", "PIN_BUCKET"),
        ("postgres", "PIN_POSTGRES_URL"),
    ],
)
def test_aws_resource_names_the_variable_that_is_not_set(
    resource: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    if variable != "AWS_REGION":
        monkeypatch.setenv("AWS_REGION", "eu-west-1")

    @dg.op(required_resource_keys={resource})
    def use() -> None:
        pass

    @dg.job(resource_defs={resource: aws_resources(Settings.load())[resource]})
    def using() -> None:
        use()

    with pytest.raises(Exception, match=f'"{variable}" which is not set') as missed:
        using.execute_in_process()
    assert variable in str(missed.value)
