"""Fixtures for tests with adversarial input, which run on both engines."""

from pin_pipeline_tests.batch.conftest import engine

__all__ = ["engine"]
