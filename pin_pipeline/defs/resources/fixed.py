"""Resources that run configuration cannot change.

A user who can launch a run could otherwise point a resource at another host, which then receives rows and credentials.
To use another service, change the environment variable that the resource is created from.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import dagster as dg
from dagster._config import EvaluateValueResult, process_config
from dagster._config.pythonic_config.resource import ConfigurableResourceFactoryResourceDefinition

T = TypeVar("T")


class FixedResourceDefinition(ConfigurableResourceFactoryResourceDefinition):
    """Definition of a resource whose fields have the values that it was created with.

    `ResourceDefinition.configured` does the same, but hides values and nested resources from the pages of the UI.
    """

    def __init__(self, configurable: ConfigurableResourceFactoryResourceDefinition) -> None:
        """Copy the definition of a resource with its values as defaults.

        Args:
            configurable: the definition that accepts run configuration.
        """
        super().__init__(
            configurable_resource_cls=configurable.configurable_resource_cls,
            resource_fn=configurable.resource_fn,
            config_schema=configurable.config_schema,
            description=configurable.description,
            nested_resources=configurable.nested_resources,
            nested_partial_resources=configurable.nested_partial_resources,
        )

    @property
    def has_config_field(self) -> bool:
        """Return that the schema of run configuration has no fields for the resource."""
        return False

    def apply_config_mapping(self, config: Mapping[str, object]) -> EvaluateValueResult[Any]:  # noqa: ARG002 - it is empty
        """Return the values of the fields, for which environment variables are read now."""
        return process_config({"config": self.get_config_field()}, {})


class FixedResource(dg.ConfigurableResource[T]):
    """Base class of the resources; each is created with the values of all its fields."""

    def get_resource_definition(self) -> FixedResourceDefinition:
        """Return the definition, always the same one: Dagster compares resources by identity."""
        return self._definition

    @cached_property
    def _definition(self) -> FixedResourceDefinition:
        return FixedResourceDefinition(super().get_resource_definition())
