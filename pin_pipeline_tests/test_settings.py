"""PIN_ENVIRONMENT: what is settled, what has a default, and what is missed by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dagster as dg
import pytest

from pin_pipeline import settings as environment
from pin_pipeline.defs.resources.aws import aws_resources
from pin_pipeline.defs.resources.local import local_resources
from pin_pipeline.kafka.connection import Security
from pin_pipeline.settings import Environment, SettingError


@pytest.fixture(autouse=True)
def no_variables(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001
    """None of a test's own; those that `load` sets are gone behind it."""
    for name in [name for name in os.environ if name.startswith(("PIN_", "AWS_")) and name != "PIN_HOME"]:
        monkeypatch.delenv(name)
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def test_the_local_environment_is_the_default() -> None:
    assert environment.load().environment is Environment.LOCAL


def test_an_unknown_environment_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "azure")
    with pytest.raises(SettingError, match=r"^PIN_ENVIRONMENT is 'azure'; expected local or aws$"):
        environment.load()


def test_on_aws_nothing_has_a_local_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    settings = environment.load()
    assert (settings.s3_endpoint_url, settings.kinesis_endpoint_url) == (None, None)
    assert settings.kafka.security is Security.IAM
    assert "127.0.0.1" not in repr(settings)
    assert "AWS_ACCESS_KEY_ID" not in os.environ


def test_both_environments_have_the_same_resources_and_explain_each_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    settings = environment.load()
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
def test_a_resource_names_the_variable_that_it_misses(
    resource: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN_ENVIRONMENT", "aws")
    if variable != "AWS_REGION":
        monkeypatch.setenv("AWS_REGION", "eu-west-1")

    @dg.op(required_resource_keys={resource})
    def use() -> None:
        pass

    @dg.job(resource_defs={resource: aws_resources(environment.load())[resource]})
    def using() -> None:
        use()

    with pytest.raises(Exception, match=f'"{variable}" which is not set') as missed:
        using.execute_in_process()
    assert variable in str(missed.value)
