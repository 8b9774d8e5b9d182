"""Spark as the code under test asks for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession


@pytest.fixture
def session(spark: SparkSession) -> Callable[[], SparkSession]:
    return lambda: spark
