"""Resources: run configuration cannot change them, and their values are read when a run starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import reload
from typing import Any

import dagster as dg
import pytest

from pin_pipeline.defs.resources.interfaces import LandingResource
from pin_pipeline.defs.resources.local import InProcessLanding, PlaintextKafka

IO_MANAGER = "io_manager"
ELSEWHERE = "elsewhere.example:9092"


@pytest.fixture(params=["local", "aws"])
def defs(clean_environment: None, request: pytest.FixtureRequest) -> Iterator[dg.Definitions]:  # noqa: ARG001 - sets environment variables
    """Load the definitions of an environment."""
    from pin_pipeline import definitions  # noqa: PLC0415 - reads environment variables at import

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIN_ENVIRONMENT", request.param)
        loaded: dg.Definitions = reload(definitions).defs
    yield loaded
    reload(definitions)


def jobs(defs: dg.Definitions) -> list[dg.JobDefinition]:
    """Return all jobs, including the one that materializes selected assets."""
    jobs = list(defs.get_repository_def().get_all_jobs())
    assert {"daily_batch", "emulation", "__ASSET_JOB"} <= {job.name for job in jobs}
    return jobs


def accepted(schema: Any, path: str) -> list[str]:
    """Return the paths of the values that a configuration schema accepts."""
    if not hasattr(schema, "fields"):
        return [path]
    return [found for name, field in schema.fields.items() for found in accepted(field.config_type, f"{path}.{name}")]


def test_schema_of_every_job_accepts_no_value_for_a_resource(defs: dg.Definitions) -> None:
    for job in jobs(defs):
        schema = job.run_config_schema.run_config_schema_type
        assert isinstance(schema, dg.Shape)
        resources: Any = schema.fields["resources"].config_type
        assert resources.fields.keys() == {*(defs.resources or {})}
        assert accepted(resources, job.name) == []


def test_run_configuration_with_any_field_of_a_resource_is_invalid(defs: dg.Definitions) -> None:
    resources: Mapping[str, Any] = defs.resources or {}
    fields = {
        (key, field) for key, resource in resources.items() for field in getattr(type(resource), "model_fields", ())
    }
    assert {("lake", "bucket"), ("postgres", "url"), ("landing", "kafka"), ("batch", "engine")} <= fields
    for job in jobs(defs):
        for key, field in {*fields, (IO_MANAGER, "base_dir")}:
            with pytest.raises(dg.DagsterInvalidConfigError, match=r"unexpected config entry|undefined field"):
                dg.validate_run_config(job, {"resources": {key: {"config": {field: ELSEWHERE}}}})


def test_values_are_read_from_variables_when_a_run_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = PlaintextKafka(bootstrap_servers=dg.EnvVar("BROKERS"), prefix="p")

    @dg.op
    def brokers(kafka: PlaintextKafka, landing: LandingResource) -> list[str]:
        return [kafka.connection().bootstrap, landing.kafka.connection().bootstrap]

    @dg.job(resource_defs={"kafka": kafka, "landing": InProcessLanding(kafka=kafka)})
    def using() -> None:
        brokers()

    for value in ("first:1", "second:2"):
        monkeypatch.setenv("BROKERS", value)
        assert using.execute_in_process().output_for_node("brokers") == [value, value]
