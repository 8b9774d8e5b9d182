"""Fixtures for tests of the batch, which run on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from pin_pipeline.batch.engines.base import BatchEngine
from pin_pipeline.batch.engines.embedded import EmbeddedEngine
from pin_pipeline.batch.engines.spark import SparkEngine
from pin_pipeline.settings import Settings


@pytest.fixture
def settings(lake_settings: Settings) -> Settings:
    """Create a bucket, but no topics: the batch begins with objects on S3."""
    return lake_settings


@pytest.fixture(params=["spark", "embedded"])
def engine(request: pytest.FixtureRequest) -> BatchEngine[Any]:
    """Return each of the two engines."""
    chosen: SparkEngine | EmbeddedEngine = request.getfixturevalue(f"{request.param}_engine")
    return chosen


@pytest.fixture
def next_engine(
    engine: BatchEngine[Any], request: pytest.FixtureRequest, embedded_engine: EmbeddedEngine
) -> BatchEngine[Any]:
    """Return the other engine, which continues after `engine` has crashed."""
    if engine.name == SparkEngine.name:
        return embedded_engine
    spark_engine: SparkEngine = request.getfixturevalue("spark_engine")
    return spark_engine
